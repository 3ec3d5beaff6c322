"""Names and values that files use for what a data set calls otherwise."""

_ID = ("customerid", "clientid", "clientnum", "custid", "customerno", "customernumber", "clientno")

SYNONYMS: dict[str, tuple[str, ...]] = {
    "source_id": (*_ID, "客户号", "客户编号", "客户id"),
    "source": ("sourcesystem", "system", "来源系统", "来源"),
    "kind": ("customertype", "clienttype", "客户类型", "type"),
    "name": ("customername", "clientname", "fullname", "姓名", "客户名称", "客户姓名"),
    "id_number": ("idno", "nationalid", "idcard", "passport", "证件号码", "身份证号", "身份证号码"),
    "phone": (
        "mobile",
        "phonenumber",
        "mobilephone",
        "telephone",
        "tel",
        "手机",
        "手机号",
        "手机号码",
        "电话",
    ),
    "email": ("mail", "emailaddress", "邮箱", "电子邮箱"),
    "address": ("addr", "street", "homeaddress", "地址", "联系地址"),
    "gender": ("sex", "性别"),
    "birth_date": ("birthday", "birthdate", "dateofbirth", "dob", "出生日期", "生日"),
    "occupation": ("job", "profession", "职业"),
    "industry": ("sector", "行业"),
    "org": ("branch", "orgcode", "branchcode", "机构", "机构号", "开户机构", "支行"),
    "primary_manager": ("manager", "rm", "relationshipmanager", "客户经理", "管户经理"),
    "backup_manager": ("backup", "secondmanager", "b角"),
    "risk_level": ("risk", "riskrating", "风险等级"),
    "risk_valid_until": ("riskexpiry", "riskvaliduntil", "风险等级有效期"),
    "customer_since": ("since", "opendate", "joined", "开户日期", "建档日期"),
    "consent_call": ("callconsent", "电话营销授权"),
    "consent_sms": ("smsconsent", "短信营销授权"),
    "consent_email": ("emailconsent", "邮件营销授权"),
    "account": ("accountid", "accountno", "accountnumber", "账号", "账户"),
    "product": ("productcode", "productid", "产品", "产品代码"),
    "balance": ("amount", "currentbalance", "余额"),
    "currency": ("ccy", "currencycode", "币种"),
    "as_of": ("date", "asofdate", "balancedate", "snapshotdate", "日期", "余额日期"),
    "opened_on": ("opened", "opendate", "openingdate", "开户日期"),
    "matures_on": ("maturity", "maturitydate", "到期日", "到期日期"),
    "id": ("eventid", "transid", "transactionid", "invoiceno", "流水号", "交易流水号"),
    "type": ("eventtype", "事件类型"),
    "subject": (*_ID, "客户号", "客户编号"),
    "time": (
        "timestamp",
        "datetime",
        "eventtime",
        "date",
        "invoicedate",
        "transactiondate",
        "交易时间",
        "时间",
    ),
    "data": ("payload", "properties"),
}
"""By target column; without spaces, signs and capitals."""

_YES_NO = {
    **dict.fromkeys(("true", "yes", "y", "1", "是", "同意"), "true"),
    **dict.fromkeys(("false", "no", "n", "0", "否", "不同意"), "false"),
}

VALUES: dict[str, dict[str, str]] = {
    "kind": {
        **dict.fromkeys(("person", "individual", "private", "p", "个人", "对私"), "person"),
        **dict.fromkeys(("company", "corporate", "business", "c", "企业", "公司", "对公"), "company"),
    },
    "gender": {
        **dict.fromkeys(("f", "female", "woman", "w", "女"), "F"),
        **dict.fromkeys(("m", "male", "man", "男"), "M"),
    },
    "consent_call": _YES_NO,
    "consent_sms": _YES_NO,
    "consent_email": _YES_NO,
}
"""By target column: values in small letters and what they become."""
