"""What the form of a question tells without a model: pronouns, verbs and objects in two languages.

Each language's module has the same names: `LEADS`, `ADJUNCTS`, `EMPTY`, `references` and `verb`.
"""
