"""The Czech bank of the PKDD'99 challenge (P. Berka, M. Sochorova) as datasets of the product."""

from deploy.demo.berka.bank import BerkaBank, read_bank

__all__ = ["BerkaBank", "read_bank"]
