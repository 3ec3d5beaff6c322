"""Campaign studio 活动工作室: the five fixes of a campaign, its audience and budget, step by step."""
