"""The few sentences that the tiny models know, and how they are cut into pieces."""

import re

CORPUS = """
Le document décrit la procédure à suivre pour une demande de congé.
La demande doit être envoyée au service du personnel avant la fin du mois.
Le service répond à la demande dans un délai de cinq jours.
Selon le document, le délai de réponse est de cinq jours ouvrés.
La réponse se trouve dans la deuxième partie du document.
Voici un résumé du texte fourni dans le contexte.
Le contexte ne contient pas assez d'informations pour répondre à la question.
Je ne trouve pas la réponse dans les documents fournis.
D'après les sources, la procédure est la suivante.
Il faut d'abord remplir le formulaire, puis le signer et le remettre au service.
Le formulaire est disponible sur le site de l'entreprise.
L'entreprise rembourse les frais de transport à la fin de chaque mois.
Les frais sont remboursés après la validation du responsable.
Le responsable valide la demande et transmet le dossier à la direction.
La direction examine le dossier et donne son accord par écrit.
Un dossier complet contient une copie du contrat et une lettre.
Le contrat est signé par les deux parties pour une durée de deux ans.
La durée du contrat est de deux ans, avec une période d'essai de trois mois.
Pendant la période d'essai, chaque partie peut rompre le contrat.
Chaque employé reçoit un accès au système et un mot de passe.
Le mot de passe doit être changé tous les trois mois.
En cas de problème, il faut contacter le support par courrier.
Le support est ouvert du lundi au vendredi, de neuf heures à midi.
Bonjour, je suis un assistant et je peux répondre à votre question.
Bonjour, voici la réponse à votre question.
Merci pour votre question.
Je vous conseille de lire le document complet avant de signer le contrat.
Les données sont conservées dans le système pendant une durée de cinq ans.
Le système garde une copie des données sur un serveur local.
Un serveur local permet de garder les données dans l'entreprise.
La sécurité des données est assurée par la direction informatique.
La direction informatique vérifie les accès au serveur chaque lundi.
Le rapport présente les résultats du projet pour le mois de mai.
Les résultats du projet sont présentés dans la deuxième partie du rapport.
Le projet a commencé en mai et doit finir avant la fin de l'année.
Le budget du projet est inférieur au budget de l'année précédente.
En résumé, le rapport montre que le projet avance selon le calendrier.
Le calendrier est disponible sur le site du projet.
"""
SPACE = "\u2581"  # how a SentencePiece vocabulary writes a space


def pieces_of(sentence: str) -> list[str]:
    """Cut "Le mot, l'an." into "▁Le", "▁mot", ",", "▁l'", "an", "."."""
    return [piece.replace(" ", SPACE) for piece in re.findall(r" ?\w+'?|[.,]", " " + sentence)]


def sentences() -> list[list[str]]:
    """Return the pieces of each sentence."""
    return [pieces_of(line) for line in CORPUS.strip().splitlines()]
