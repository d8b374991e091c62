"""What a deployment of a PACS must hold to: the catalogue of controls. It imports nothing, so that whoever needs a part takes only that."""
