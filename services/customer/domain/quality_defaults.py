"""The rules a bank begins with. They are data from then on: it may change them or switch them off."""

from collections.abc import Mapping
from typing import Any

from shared.contracts.customer.quality import QualityRuleWrite


def _rule(  # a row of the table below
    name: tuple[str, str],
    advice: tuple[str, str],
    dimension: str,
    check: Mapping[str, Any],
    weight: int,
    severity: str,
    applies_to: str = "all",
) -> QualityRuleWrite:
    return QualityRuleWrite.model_validate(
        {
            "name": {"zh": name[0], "en": name[1]},
            "advice": {"zh": advice[0], "en": advice[1]},
            "dimension": dimension,
            "check": check,
            "weight": weight,
            "severity": severity,
            "applies_to": applies_to,
        }
    )


def _present(
    field: str, name: tuple[str, str], weight: int, severity: str, applies_to: str = "all"
) -> QualityRuleWrite:
    zh, en = name
    return _rule(
        (f"{zh}已填写", f"{en} is there"),
        (f"向客户核实并补录{zh}", f"Ask the customer and enter the {en.lower()}"),
        "completeness",
        {"kind": "present", "field": field},
        weight,
        severity,
        applies_to,
    )


DEFAULT_RULES: Mapping[str, QualityRuleWrite] = {
    "id-number-present": _present("id_number", ("证件号码", "Identity number"), 10, "high"),
    "phone-present": _present("phone", ("联系电话", "Phone number"), 10, "high"),
    "address-present": _present("address", ("地址", "Address"), 5, "medium"),
    "email-present": _present("email", ("电子邮箱", "E-mail address"), 2, "low"),
    "birth-date-present": _present("birth_date", ("出生日期", "Birth date"), 5, "medium", "person"),
    "gender-present": _present("gender", ("性别", "Gender"), 2, "low", "person"),
    "occupation-present": _present("occupation", ("职业", "Occupation"), 5, "medium", "person"),
    "industry-present": _present("industry", ("行业", "Industry"), 8, "medium", "company"),
    "risk-level-present": _present("risk_level", ("风险等级", "Risk level"), 8, "medium", "person"),
    "consent-asked": _present("consents", ("营销授权", "Marketing consent"), 3, "low"),
    "primary-manager-assigned": _present("primary_manager", ("主办客户经理", "Primary manager"), 8, "high"),
    "backup-manager-assigned": _present("backup_manager", ("协办客户经理", "Backup manager"), 4, "medium"),
    "id-number-valid": _rule(
        ("身份证号校验正确", "Identity number is valid"),
        ("核对证件原件并更正号码", "Check the document and correct the number"),
        "validity",
        {"kind": "chinese_id"},
        10,
        "high",
        "person",
    ),
    "credit-code-valid": _rule(
        ("统一社会信用代码校验正确", "Social credit code is valid"),
        ("核对营业执照并更正代码", "Check the business licence and correct the code"),
        "validity",
        {"kind": "credit_code"},
        10,
        "high",
        "company",
    ),
    "id-number-consistent": _rule(
        ("出生日期、性别与身份证一致", "Birth date and gender agree with the identity number"),
        ("按证件更正出生日期或性别", "Correct birth date or gender by the document"),
        "validity",
        {"kind": "matches_id"},
        5,
        "medium",
        "person",
    ),
    "phone-valid": _rule(
        ("电话号码格式正确", "Phone number is possible"),
        ("与客户核对电话号码", "Confirm the number with the customer"),
        "validity",
        {"kind": "phone"},
        8,
        "high",
    ),
    "email-valid": _rule(
        ("邮箱格式正确", "E-mail address is possible"),
        ("与客户核对邮箱", "Confirm the address with the customer"),
        "validity",
        {"kind": "email"},
        2,
        "low",
    ),
    "age-plausible": _rule(
        ("年龄合理", "Age is plausible"),
        ("核对出生日期", "Check the birth date"),
        "validity",
        {"kind": "age_between", "minimum": 0, "maximum": 110},
        4,
        "medium",
        "person",
    ),
    "since-not-future": _rule(
        ("开户日期不晚于今天", "Customer since a day that has been"),
        ("更正开户日期", "Correct the date"),
        "validity",
        {"kind": "not_future", "field": "customer_since"},
        2,
        "low",
    ),
    "risk-assessment-valid": _rule(
        ("风险测评在有效期内", "Risk assessment is valid"),
        ("邀请客户重新进行风险测评", "Invite the customer to a new assessment"),
        "freshness",
        {"kind": "risk_valid"},
        8,
        "high",
        "person",
    ),
    "file-updated": _rule(
        ("两年内更新过资料", "File was updated within two years"),
        ("与客户核对全部资料", "Go through the file with the customer"),
        "freshness",
        {"kind": "updated_within", "days": 730},
        5,
        "low",
    ),
    "id-number-unique": _rule(
        ("证件号码唯一", "Nobody else has the identity number"),
        ("核对后合并重复客户或更正号码", "Merge the duplicate or correct the number"),
        "uniqueness",
        {"kind": "unique", "field": "id_number"},
        10,
        "high",
    ),
    "phone-unique": _rule(
        ("电话号码唯一", "Nobody else has the phone number"),
        ("核对号码归属，合并重复客户", "Find out whose number it is; merge duplicates"),
        "uniqueness",
        {"kind": "unique", "field": "phone"},
        4,
        "medium",
    ),
}
