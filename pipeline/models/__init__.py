"""The seven networks of the study and where their pretrained weights come from."""
