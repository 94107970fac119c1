"""The words that instructions are made of, and that models are taught: names, phrases, ways to ask."""
