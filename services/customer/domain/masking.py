"""How personal data is shown to those who may know the customer but need not reach them."""


def mask_name(name: str) -> str:
    """The first character stays: ``张三丰`` → ``张**``; a company keeps its first four: ``上海远洋**``."""
    shown = 4 if len(name) > 6 else 1
    return name[:shown] + "*" * min(max(len(name) - shown, 1), 4)


def mask_number(number: str) -> str:
    """Three before, four after: ``13812341234`` → ``138****1234``; a short one shows its last two only."""
    if len(number) < 9:
        return "*" * max(len(number) - 2, 4) + number[-2:]
    return f"{number[:3]}****{number[-4:]}"


def mask_email(email: str) -> str:
    """``li.wei@bank.cn`` → ``l***@bank.cn``."""
    local, _, host = email.partition("@")
    return f"{local[:1]}***@{host}"


def mask_address(address: str) -> str:
    """The first six characters (province and city) stay."""
    return address[:6] + "****" if len(address) > 6 else "****"


def mask(personal: dict[str, str | None]) -> dict[str, str | None]:
    """Every personal field masked; absent stays absent."""
    how = {
        "name": mask_name,
        "id_number": mask_number,
        "phone": mask_number,
        "email": mask_email,
        "address": mask_address,
    }
    return {field: how[field](value) if value else value for field, value in personal.items()}
