"""Words of help pages that stand for each other, and words that oppose each other.

One set a line. A set holds words that may take each other's place in any question; it need not be
transitive (`supprimer` ~ `enlever`, `enlever` ~ `retirer`). When in doubt, a word stays out: a miss
costs seconds, a wrong hit a wrong answer. A noun beside a verb names the verb's action.
"""

from __future__ import annotations

SYNONYMS = {
    "fr": """
créer, création, ajouter, ajout, rajouter, rajout, faire, établir, générer, génération
saisir, saisie, renseigner, entrer, enregistrer, enregistrement
créer, création, ajouter, ajout, saisir, saisie
supprimer, suppression, effacer, effacement
supprimer, suppression, enlever, enlèvement, ôter
enlever, enlèvement, retirer, retrait, ôter
modifier, modification, changer, changement, éditer
corriger, correction, rectifier, rectification
modifier, modification, corriger, correction, mettre à jour, mise à jour
mettre à jour, mise à jour, actualiser, actualisation
voir, afficher, affichage, consulter, consultation, visualiser, visualisation
trouver, chercher, rechercher, recherche, retrouver, localiser
imprimer, impression
télécharger, téléchargement
envoyer, envoi, transmettre, transmission
recevoir, réception
envoyer, envoi, expédier, expédition
payer, paiement, régler, règlement, acquitter
configurer, configuration, paramétrer, paramétrage, définir, mettre en place
gérer, gestion, administrer, administration
obtenir, se procurer
se connecter, s identifier, connexion, ouvrir une session
se déconnecter, déconnexion, fermer la session
s inscrire, inscription
partager, partage
copier, copie, dupliquer, duplication
déplacer, déplacement, transférer, transfert
fusionner, fusion
renommer, changer le nom, modifier le nom
valider, validation, confirmer, confirmation
démarrer, démarrage, débuter, commencer
démarrer, lancer
terminer, finir, achever
arrêter, arrêt, stopper
augmenter, augmentation, agrandir, accroître
diminuer, diminution, réduire, baisser, baisse
réinitialiser, réinitialisation, remettre à zéro, remise à zéro
récupérer, récupération
restaurer, restauration, rétablir, rétablissement
sauvegarder, sauvegarde
contacter, joindre
importer, import, importation
exporter, export, exportation
choisir, choix, sélectionner, sélection
utiliser, utilisation, se servir
acheter, achat
vendre, vente
livrer, livraison
calculer, calcul
vérifier, vérification, contrôler, contrôle
convertir, conversion, transformer, transformation
attribuer, attribution, affecter, affectation, assigner
autoriser, autorisation, permettre
interdire, interdiction, empêcher
refuser, refus, rejeter, rejet
accepter, acceptation, approuver, approbation
insérer, insertion
ouvrir, ouverture
fermer, fermeture, clôturer, clôture, clore
relancer, relance
trier, tri
renvoyer, renvoi
débloquer, déblocage
bloquer, blocage
perdre, perte
oublier, oubli
réparer, réparation, dépanner, dépannage
suivre, suivi
essayer, essai, tester, test
masquer, cacher
remplir, compléter
scanner, numériser
activer, activation, mettre en marche
associer, association, lier, rattacher
mot de passe
email, mail, courriel, mel, courrier électronique
téléphone portable, téléphone mobile, smartphone, mobile
ordinateur, pc, ordi
téléphone, tel
information, info
notification, notif
problème, souci, pb
télévision, télé
application, appli, app
logiciel, programme
photo, photographie
collègue, collaborateur
employé, salarié
société, entreprise
support, assistance, service client
dossier, répertoire
montant, somme
paramètres, réglages, préférences
corbeille, poubelle
remise, rabais
wifi, wi fi, réseau sans fil
notice, manuel, mode d'emploi
nom d'utilisateur, identifiant, login
carte bancaire, carte bleue, carte de paiement
impayé, non payé, non réglé
erroné, incorrect, faux
automatiquement, de façon automatique, de manière automatique
rapidement, vite
immédiatement, tout de suite
définitivement, de façon définitive
nécessaire, requis, indispensable
échéance, date limite
""",
    "en": """
create, creation, add, make, generate, generation
delete, deletion, remove, removal, erase
edit, modify, modification, change, update, amend
enter, input, record
get, obtain
track, follow
launch, start
problem, issue
synchronise, synchronize, sync
view, see, check
computer, pc
information, info
log in, login, log on, sign in
log out, logout, log off, sign out
sign up, register, registration
buy, purchase
sell, sale
find, search, search for, look for, look up, locate
see, view, show, display
pay, payment, settle
invoice, bill
customer, client
supplier, vendor
quote, quotation
set up, setup, configure, configuration
start, begin
finish, complete
enable, activate, activation, turn on, switch on
disable, deactivate, deactivation, turn off, switch off
increase, raise, enlarge
decrease, reduce, lower
contact, reach, get in touch with
mobile phone, cell phone, smartphone, mobile
phone, telephone
licence, license
photo, picture
email, mail
folder, directory
settings, preferences
copy, duplicate, clone
merge, combine
move, transfer
rename, change the name of
cancel, cancellation
confirm, confirmation, validate, validation
approve, approval
refuse, reject, rejection, decline
choose, select, selection, pick
fix, repair
check, verify, verification
recover, recovery, get back
refund, reimburse, reimbursement
ship, dispatch
discount, rebate
app, application
software, program, programme
employee, staff member
company, business
trash, recycle bin
assign, allocate
convert, conversion, transform
allow, permit, authorise, authorize
hide, conceal
necessary, required
wrong, incorrect
color, colour
catalog, catalogue
due date, deadline
wifi, wi fi
user name, username
credit card, bank card
automatically, by itself
permanently, for good
""",
}

# near enough for a heading to name what a question asks how to do, not to take its place in it
NEAR = {
    "fr": """
arrêter, arrêt, suspendre, suspension, désactiver, désactivation, interrompre, interruption, stopper
désarchiver, réactiver, réactivation, restaurer, restauration, rétablir, récupérer, revenir
résilier, résiliation, annuler, annulation
""",
    "en": """
stop, suspend, suspension, disable, deactivate, deactivation, turn off, switch off, interrupt, pause
unarchive, reactivate, reactivation, restore, recover, bring back
terminate, termination, cancel, cancellation
""",
}

# what stands before a colon opposes what stands after it
ANTONYMS = """
avec with : sans without
créer ajouter create add make : supprimer retirer enlever effacer delete remove erase
ouvrir open : fermer clôturer close
importer import : exporter export
entrée entrant in : sortie sortant out
entrer enter : sortir leave exit
achat acheter purchase buy : vente vendre sale sell
débit débiter debit : crédit créditer credit
archiver archive : restaurer restore
client customer : fournisseur supplier vendor
premier première 1st first : dernier dernière last
minimum minimal min : maximum maximal max
plus more : moins less fewer
augmenter increase raise : baisser diminuer réduire decrease reduce lower
avant before : après after
hausse : baisse
afficher show display : masquer cacher hide
accepter approuver accept approve : refuser rejeter refuse reject decline
valider confirmer validate confirm : annuler refuser cancel
allumer : éteindre
démarrer commencer start begin : arrêter terminer stop end finish
envoyer send : recevoir receive
croissant ascending : décroissant descending
prochain suivant next : dernier précédent previous last
activer enable activate : désactiver disable deactivate
on up : off down
upload : download
haut top : bas bottom
gauche left : droite right
public : privé private
ancien old : nouveau new
gratuit free : payant paid
clair light : sombre dark
petit small : grand large big
court short : long
lent slow : rapide fast
début beginning : fin end
toujours always : jamais never
tout tous all : rien aucun nothing none no
intérieur dedans inside : extérieur dehors outside
gagner win : perdre lose
emprunter borrow : prêter lend
autoriser permettre allow : interdire empêcher forbid prevent
monter : descendre
coller paste : couper cut
remplir fill : vider empty
brancher : débrancher
"""
