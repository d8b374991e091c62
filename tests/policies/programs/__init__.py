"""Programs that deploy a PACS and break no rule, as data: each case changes one line of one of them."""
