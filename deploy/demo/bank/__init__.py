"""The synthetic bank."""

from deploy.demo.bank.generate import Bank, generate
from deploy.demo.bank.outcomes import Answers, answers, outcomes, true_effect
from deploy.demo.bank.storage import write

__all__ = ["Answers", "Bank", "answers", "generate", "outcomes", "true_effect", "write"]
