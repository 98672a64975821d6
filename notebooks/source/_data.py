# %% [markdown] en
# ## The images
#
# MNIST where it is at hand (`latentlab data fetch mnist` brings it), else the 1,797 handwritten digits that come with
# scikit-learn. Of MNIST's 55,000 training images we take 20,000, so that the notebook needs a few minutes of a laptop's CPU at most.
# The images are cut into three parts, once and for all:
#
# - the **training** images, from which the weights learn;
# - the **validation** images, which we look at after every epoch, to see whether what was learned holds for new images;
# - the **test** images, which we keep for the last comparison.
# %% [markdown] fr
# ## Les images
#
# MNIST s’il est sur votre machine (`latentlab data fetch mnist` le télécharge), sinon les 1 797 chiffres manuscrits fournis
# avec scikit-learn. Des 55 000 images d’entraînement de MNIST, on en prend 20 000, pour que le notebook ne demande que
# quelques minutes au processeur d’un portable. Les images sont réparties une fois pour toutes en trois ensembles :
#
# - les images d’**entraînement**, sur lesquelles les poids sont ajustés ;
# - les images de **validation**, que l’on regarde après chaque époque, pour voir si ce qui est appris vaut aussi pour de
#   nouvelles images ;
# - les images de **test**, que l’on garde pour la comparaison finale.
# %%
DATA = "mnist" if is_at_hand(parse("mnist").source, None) and not QUICK else "digits"
TRAIN_IMAGES = 20_000 if DATA == "mnist" else 300 if QUICK else None
data = ll.load_data(DATA, train_images=TRAIN_IMAGES)
x_train, x_val, x_test = (to_unit(part.images) for part in (data.train, data.val, data.test))  # [N, C, H, W]
shape = x_train.shape[1:]
show({"": data.train.images[:14]}, 14)
data
