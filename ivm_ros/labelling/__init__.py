"""Making a dataset of one's own pictures: a model proposes masks, a person accepts, fixes or rejects them."""
