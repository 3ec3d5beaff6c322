"""Words of the report, in both languages."""

from typing import Final

from shared.formats import Language

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("活动评估报告", "Campaign evaluation report"),
    "product": ("环营", "Huanying"),
    "page": ("第", "Page"),
    "of": ("页，共", "of"),
    "pages": ("页", ""),
    "key": ("活动编号", "Campaign key"),
    "period": ("活动期间", "Campaign dates"),
    "state": ("状态", "State"),
    "orgs": ("参与机构", "Organisations"),
    "segments": ("客群", "Segments"),
    "primary": ("主指标", "Primary metric"),
    "arms": ("触达方案", "Arms"),
    "share": ("占比", "Share"),
    "offer": ("产品", "Offer"),
    "channel": ("渠道", "Channel"),
    "hold_out_share": ("对照组比例", "Hold-out"),
    "registered": ("登记时间", "Registered"),
    "hash": ("登记内容哈希", "Hash of the registration"),
    "until": ("数据截至", "Data until"),
    "evaluated": ("评估时间", "Evaluated"),
    "version": ("程序版本", "Code version"),
    "input_hash": ("输入哈希", "Hash of the input"),
    "matured": ("已成熟", "Matured"),
    "matured_note": (
        "{share} 的客户已走完观察期；尚未走完的客户未计入效果，全部走完不晚于 {day}。",
        (
            "{share} of the customers have lived through their outcome window; the others are not in the"
            " effect yet, the last of them by {day}."
        ),
    ),
    "design": ("启动前登记的设计", "Design registered before launch"),
    "verdict": ("结论", "Verdict"),
    "why": ("原因", "Why"),
    "to_do": ("怎么办", "What to do"),
    "incremental": ("总增量", "Incremental total"),
    "per_customer": ("户均差异", "Difference per customer"),
    "interval": ("区间", "Interval"),
    "p": ("p 值", "p-value"),
    "q": ("q 值", "q-value"),
    "n": ("人数（触达/对照）", "n (treated / hold-out)"),
    "target": ("目标", "Target"),
    "reached": ("目标完成", "Target reached"),
    "health": ("健康检查", "Health checks"),
    "check": ("检查", "Check"),
    "passed": ("通过", "Passed"),
    "failed": ("未通过", "Failed"),
    "detail": ("说明", "Detail"),
    "funnel": ("漏斗", "Funnel"),
    "funnel_note": (
        "占比以各组分配人数为基数。对照组未被接触，其转化是没有活动时也会发生的。",
        (
            "Shares of each group's own assigned customers. The hold-out was left alone: its conversions"
            " would have happened anyway."
        ),
    ),
    "retained_note": (
        "留存：已转化且在分配后第 {days} 天日终仍持有所开产品者（账户未销户；除贷款、信用卡外余额未清空）。",
        (
            "Retained: who converted and still held a product so opened at the close of day {days} after"
            " assignment: an account of it neither closed nor, unless a loan or a card, emptied."
        ),
    ),
    "retained_unknown": (
        "留存尚不可知：登记的窗口中，不短于转化窗口的尚未对全部已分配客户结束，或未收到所开产品的账户数据。",
        (
            "Retained is not known: no registered window as long as conversion's has passed for everybody"
            " assigned, or no accounts of the products opened were delivered."
        ),
    ),
    "targeted": ("名单总数", "Audience"),
    "suppressed": ("剔除", "Left out"),
    "effect": ("效果", "Effect"),
    "arm": ("分组", "Arm"),
    "mean": ("均值（触达/对照）", "Mean (treated / hold-out)"),
    "method_column": ("方法", "Method"),
    "series": ("走势", "Course"),
    "series_note": (
        "自分配日起的累计均值之差，每天只算已走过这一天的客户。阴影为始终有效区间：任何一天看都成立；斜线为还有客户未走完的天数。",
        (
            "Difference of the means so far by days since assignment, of those who have lived through each"
            " day. The band may be read on any day; on hatched days some have not come that far."
        ),
    ),
    "breakdown": ("分维度效果", "Effects by group"),
    "breakdown_note": (
        "每格与同格对照组比较；q 值按 Benjamini–Hochberg 校正，看得越多，偶然显著越多。",
        (
            "Every cell against the hold-out of the same cell. q-values are corrected by Benjamini–Hochberg:"
            " who looks at many cells finds some by chance."
        ),
    ),
    "dimension": ("维度", "Dimension"),
    "value": ("取值", "Value"),
    "money": ("投入产出", "Money"),
    "treated": ("触达人数", "Customers treated"),
    "incremental_contribution": ("增量贡献", "Incremental contribution"),
    "cost": ("接触成本", "Contact cost"),
    "contacts": ("接触次数", "Contacts"),
    "minutes": ("客户经理投入（分钟）", "Manager minutes"),
    "roi": ("投资回报", "Return on investment"),
    "net": ("净贡献", "Net contribution"),
    "payback": ("回本天数", "Days to pay back"),
    "parts": ("贡献构成", "What the contribution is made of"),
    "part": ("项目", "Part"),
    "amount": ("金额", "Amount"),
    "margin": ("净利差", "Net margin"),
    "fee": ("手续费", "Fees"),
    "expected_loss": ("预期损失", "Expected loss"),
    "capital": ("资本成本", "Cost of capital"),
    "operating_cost": ("运营成本", "Operating cost"),
    "contribution": ("贡献", "Contribution"),
    "guardrail": ("护栏指标", "Guardrail"),
    "guardrails": ("护栏指标", "Guardrails"),
    "metric": ("指标", "Metric"),
    "harmed": ("受损", "Harmed"),
    "unharmed": ("未见受损", "No harm seen"),
    "not_computed": ("未能计算", "Not computed"),
    "scripts": ("话术版本", "Versions of scripts"),
    "script": ("版本", "Version"),
    "other": ("对比版本", "Other version"),
    "differ": ("还有何不同", "Also differ in"),
    "words_only": ("渠道与产品相同", "Same channel and offer"),
    "advice": ("优化建议", "Advice"),
    "act": ("可据此行动", "Act"),
    "test_next": ("先做下一次检验", "Test next"),
    "no_evidence": ("证据不足", "No evidence"),
    "open": ("待决策", "Open"),
    "accepted": ("已采纳", "Accepted"),
    "rejected": ("已驳回", "Rejected"),
    "superseded": ("已被取代", "Superseded"),
    "method": ("方法", "Method"),
    "method_note": (
        (
            "效果按意向分析：分到触达组的客户无论是否接触到都计入，与随机留出的对照组比较。"
            "分组由登记的随机种子决定，登记内容在首次接触前冻结，其哈希见封面。区间水平为 {level}。"
        ),
        (
            "Effects are by intention to treat: whoever was assigned counts, reached or not, against"
            " customers held out by lot. The registration was frozen before the first contact; its"
            " hash stands on the first page. Intervals are at {level}."
        ),
    ),
    "population": ("统计对象", "Population"),
    "alpha": ("显著性水平", "Significance level"),
    "missing": ("未能计算的内容", "What could not be computed"),
    "nothing_missing": ("无", "Nothing"),
    "where": ("位置", "Where"),
    "running": ("进行中", "Running"),
    "paused": ("已暂停", "Paused"),
    "completed": ("已完成", "Completed"),
    "all": ("全部触达组", "All treated"),
    "post_stratified": ("分层后估计", "Post-stratified"),
    "segment": ("客群", "Segment"),
    "branch": ("机构", "Branch"),
    "tier": ("等级", "Tier"),
    "manager": ("客户经理", "Manager"),
    "nobody": ("无{dimension}", "No {dimension}"),
    "channel.app": ("手机银行", "App"),
    "channel.call": ("电话", "Call"),
    "channel.email": ("邮件", "E-mail"),
    "channel.manager_task": ("客户经理任务", "Manager task"),
    "channel.print": ("印刷品", "Print"),
    "channel.sms": ("短信", "SMS"),
    "channel.visit": ("上门", "Visit"),
    "difference in means against the hold-out, by intention to treat": (
        "与对照组的均值之差，按意向分析",
        "Difference in means against the hold-out, by intention to treat",
    ),
    "customers assigned whose outcome window has passed": (
        "已分配且走完观察期的客户",
        "Customers assigned whose outcome window has passed",
    ),
    "additive case-mix model, hierarchical shrinkage, ranks of posterior draws": (
        "客户结构的加性模型，分层收缩，由后验抽样得出位次",
        "Additive case-mix model, hierarchical shrinkage, ranks of posterior draws",
    ),
    "welch": ("均值之差（Welch）", "Difference in means (Welch)"),
    "welch+cuped": ("均值之差（Welch，CUPED）", "Difference in means (Welch, CUPED)"),
    "newcombe": ("比例之差（Newcombe）", "Difference in proportions (Newcombe)"),
    "bulletin_title": ("排名简报", "Ranking bulletin"),
    "of_branch": ("各机构", "Branches"),
    "of_staff": ("客户经理", "Managers"),
    "draft": ("草稿", "Draft"),
    "draft_note": (
        "尚未发布：重新计算后内容可能不同。",
        "Not published yet: computed again, it may say something else.",
    ),
    "published": ("已发布", "Published"),
    "published_at": ("发布于", "published"),
    "number": ("第 {n} 号", "No. {n}"),
    "superseded_note": (
        "{at} 起由更正后的一期取代；本期内容保持原样。",
        "A corrected one holds since {at}; this one stays as it was.",
    ),
    "correction": ("更正原因", "Why it was corrected"),
    "bulletin_note": (
        "{share} 的客户观察期已满；客户少于 {minimum} 的对象不参与比较。",
        (
            "Outcome windows of {share} of customers have closed; with fewer than {minimum} customers"
            " nobody is compared."
        ),
    ),
    "shared_note": (
        "{n} 位共管客户按份额计入多家机构。",
        "{n} shared customers count in several branches by their shares.",
    ),
    "others_note": ("另有 {n} 个其他机构的对象参与比较。", "{n} more are of other organisations."),
    "overview": ("各指标", "Indicators"),
    "indicator": ("指标", "Indicator"),
    "typical": ("一般水平", "Typical"),
    "spread": ("差异幅度", "Spread"),
    "compared": ("参与比较", "Compared"),
    "order": ("能否区分", "Can they be told apart?"),
    "not_yours": (
        "其中没有您的机构或您本人。",
        "Neither your organisation nor you yourself are among them.",
    ),
    "observed": ("实际", "Observed"),
    "expected": ("应有结果", "Expected"),
    "difference": ("差异（收缩后）", "Difference (shrunk)"),
    "standing": ("判断", "Standing"),
    "unlisted": (
        "只列出与应有结果相差最大者，另有 {n} 个对象未列出。",
        "Listed are those furthest from what was to be expected; {n} more are not.",
    ),
    "volumes": ("业务量", "Volumes"),
    "volumes_note": (
        "计数，未按客户结构校正，不作比较。",
        "Counts: not adjusted for customers, not compared.",
    ),
    "referrals_made": ("发出转介", "Referrals made"),
    "referrals_received": ("收到转介", "Received"),
    "referrals_won": ("转介成交", "Won"),
    "credit": ("转介业绩归属", "Credit for referrals"),
    "opportunities_won": ("赢单商机", "Opportunities won"),
    "won_amount": ("赢单金额", "Amount won"),
    "activity": ("活动量", "Activity"),
    "activity_note": (
        "实际 / 目标，由联系、拜访和商机的记录计算，不据此比较。",
        "Done / target, counted from calls, visits and opportunities; nobody is compared by it.",
    ),
    "uncounted": ("另有 {n} 个对象未列出。", "{n} more are not listed."),
    "month": ("月份", "Month"),
    "calls": ("联系", "Calls"),
    "visits": ("拜访", "Visits"),
    "new_customers": ("新客户", "New customers"),
    "existing_customers": ("存量客户", "Existing customers"),
    "opportunities": ("新建商机", "Opportunities"),
    "bulletin_method": (
        (
            "按活动 × 客群 × 层级 × 渠道校正客户结构，按偶然性收缩；"
            "位次区间来自 {draws} 次后验抽样，水平为 {level}。"
        ),
        (
            "Adjusted for campaign × segment × tier × channel and shrunk by as much as chance explains; rank"
            " intervals come of {draws} draws from the posterior, at {level}."
        ),
    ),
    "board_title": ("策略管理看板", "Strategy board"),
    "campaign": ("活动", "Campaign"),
    "contacted": ("已接触 / 已分配", "Contacted / assigned"),
    "as_of": ("数据截至 {time}", "As of {time}"),
    "total": ("合计增量（人民币，有结论的活动）", "Incremental total (CNY, campaigns with a verdict)"),
    "empty": ("还没有启动的活动。", "No campaign has been launched yet."),
}


def report_word(key: str, language: Language) -> str:
    """The word for a key or a code; a code without a word stays as it is."""
    code = key.removeprefix("channel.")
    zh, en = _WORDS.get(key, (code, code))
    return zh if language == "zh" else en
