# %% [markdown] en
# # 1 · The autoencoder
#
# How few numbers does it take to remember a handwritten digit? An image of 28 × 28 pixels is 784 numbers, but most lists of
# 784 numbers look like noise. Digits fill only a thin part of that space. An **autoencoder (AE)** learns to find it: it
# squeezes every image through a narrow passage of 32 numbers, and learns to restore the image from them.
#
# You will
#
# 1. write an autoencoder in a dozen lines of PyTorch, and watch it learn;
# 2. train the same one with latentlab, and compare the two by numbers;
# 3. walk through its latent space with the mouse;
# 4. see what an autoencoder cannot do. That is where notebook 2 begins.
# %% [markdown] fr
# # 1 · L’autoencodeur
#
# Combien de nombres faut-il pour retenir un chiffre manuscrit ? Une image de 28 × 28 pixels, c’est 784 nombres ; mais presque
# toutes les listes de 784 nombres ne ressemblent qu’à du bruit. Les chiffres n’occupent qu’une mince partie de cet espace. Un
# **autoencodeur (AE)** apprend à la trouver : il fait passer chaque image par un goulot de 32 nombres, et apprend à la
# restituer à partir d’eux.
#
# Vous allez
#
# 1. écrire un autoencodeur en une douzaine de lignes de PyTorch, et le regarder apprendre ;
# 2. entraîner le même avec latentlab, et comparer les deux, chiffres à l’appui ;
# 3. vous promener dans son espace latent à la souris ;
# 4. voir ce qu’un autoencodeur ne sait pas faire : le notebook 2 part de là.
# %% include _setup
# %% include _data
# %% [markdown] en
# ## The idea
#
# Two networks, one behind the other. The **encoder** $f$ makes a **code** $z = f(x)$ of an image $x$, the **decoder** $g$ an
# image $\hat x = g(z)$ of a code:
#
# $$x \in [0, 1]^{784} \;\xrightarrow{\;f\;}\; z \in \mathbb{R}^{32} \;\xrightarrow{\;g\;}\; \hat x \in [0, 1]^{784}$$
#
# Nobody tells the code what to hold. We only ask that the copy resemble the original, and minimise the squared error, summed
# over the pixels, averaged over the images:
#
# $$L = \mathbb{E}_x\Big[\tfrac12 \, \lVert x - g(f(x)) \rVert^2\Big]$$
#
# The code is too short to copy every pixel. So it must hold what is worth knowing: which digit, how slanted, how thick.
# %% [markdown] fr
# ## L’idée
#
# Deux réseaux, l’un derrière l’autre. L’**encodeur** $f$ fait d’une image $x$ un **code** $z = f(x)$ ; le **décodeur** $g$
# fait d’un code une image $\hat x = g(z)$ :
#
# $$x \in [0, 1]^{784} \;\xrightarrow{\;f\;}\; z \in \mathbb{R}^{32} \;\xrightarrow{\;g\;}\; \hat x \in [0, 1]^{784}$$
#
# Personne ne dit au code ce qu’il doit contenir. On demande seulement que la copie ressemble à l’original : on minimise
# l’erreur quadratique, sommée sur les pixels et moyennée sur les images :
#
# $$L = \mathbb{E}_x\Big[\tfrac12 \, \lVert x - g(f(x)) \rVert^2\Big]$$
#
# Le code est trop court pour recopier tous les pixels. Il doit donc retenir l’essentiel : quel chiffre, quelle inclinaison,
# quelle épaisseur de trait.
# %%
Z, D = 32, shape.numel()

f = nn.Sequential(
    nn.Flatten(), nn.Linear(D, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, Z)
).to(device)  # [N, C, H, W] → [N, Z]
g = nn.Sequential(
    nn.Linear(Z, 128), nn.ReLU(), nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, D), nn.Sigmoid(), nn.Unflatten(1, shape)
).to(device)  # [N, Z] → [N, C, H, W]


def loss(x):
    return 0.5 * (x - g(f(x))).square().flatten(1).sum(1)  # ½ ‖x − g(f(x))‖², [N]
# %% [markdown] en
# ## The training
#
# One **epoch** reads every training image once, in batches of 128. For each batch: compute the loss, follow its gradient back
# through $g$ and $f$, move the weights a little against it. After each epoch we measure the loss on the validation images,
# which the weights have never learned from, and keep three rows of pictures:
#
# - ten validation images;
# - their copies $g(f(x))$;
# - ten **new images**: we decode codes that no image has, drawn from a Gaussian with the mean $m$ and the covariance $S$ of the
#   training codes. The same random numbers $\varepsilon$ every time, so that only the weights differ.
# %% [markdown] fr
# ## L’entraînement
#
# Une **époque** lit une fois toutes les images d’entraînement, par lots de 128. Pour chaque lot : calculer la perte, en
# remonter le gradient à travers $g$ et $f$, déplacer un peu les poids en sens inverse. Après chaque époque, on mesure la perte
# sur les images de validation, dont les poids n’ont jamais rien appris, et on garde trois rangées d’images :
#
# - dix images de validation ;
# - leurs copies $g(f(x))$ ;
# - dix **nouvelles images** : on décode des codes qui ne sont ceux d’aucune image, tirés d’une loi gaussienne qui a la moyenne
#   $m$ et la covariance $S$ des codes d’entraînement. Les mêmes nombres aléatoires $\varepsilon$ à chaque fois : seuls les
#   poids diffèrent.
# %%
EPOCHS = 2 if QUICK else 10 if DATA == "mnist" else 60
optimizer = torch.optim.Adam([*f.parameters(), *g.parameters()], lr=1e-3)
batches = DataLoader(TensorDataset(x_train), batch_size=128, shuffle=True, num_workers=0)
epsilon = torch.randn(10, Z)


@torch.no_grad()
def new_images():
    codes = f(x_train[:2000].to(device)).cpu()
    m, S = codes.mean(0), codes.T.cov() + 1e-6 * torch.eye(Z)
    return g((m + epsilon @ torch.linalg.cholesky(S).T).to(device))  # z = m + S^½ ε


@torch.no_grad()
def pictures():
    x = x_val[:10].to(device)
    return to_bytes(torch.cat([x, g(f(x)), new_images()]))


train_curve, val_curve, history = [], [], {0: pictures()}
for epoch in tqdm(range(1, EPOCHS + 1)):
    total = 0.0
    for (x,) in batches:
        batch_loss = loss(x.to(device)).mean()
        optimizer.zero_grad()
        batch_loss.backward()
        optimizer.step()
        total += batch_loss.item() * len(x)
    train_curve.append(total / len(x_train))
    with torch.no_grad():
        val_curve.append(loss(x_val.to(device)).mean().item())
    history[epoch] = pictures()
# %% en
TRAINING, VALIDATION, LOSS = "training", "validation", "loss"
LEARNED = "On validation images the loss fell from {first} after the first epoch to {last}. On training images it is {train} in the last epoch."
SAME = "The two are within 5 % of each other: what was learned holds for new images just as well."
GAP = "The validation loss is {gap} % higher: part of what was learned holds for the training images only (over-fitting)."
BELOW = "The validation loss is even {gap} % lower: the training loss is an average over the epoch, while the weights were still learning."
# %% fr
TRAINING, VALIDATION, LOSS = "entraînement", "validation", "perte"
LEARNED = "Sur les images de validation, la perte est passée de {first} après la première époque à {last}. Sur les images d’entraînement, elle vaut {train} à la dernière époque."
SAME = "Les deux s’écartent de moins de 5 % : ce qui a été appris vaut tout autant pour de nouvelles images."
GAP = "La perte de validation est plus élevée de {gap} % : une partie de ce qui a été appris ne vaut que pour les images d’entraînement (surapprentissage)."
BELOW = "La perte de validation est même plus basse de {gap} % : celle d’entraînement est une moyenne sur l’époque, pendant que les poids apprenaient encore."
# %%
curves({TRAINING: train_curve, VALIDATION: val_curve}, y=LOSS)
gap = 100 * (val_curve[-1] / train_curve[-1] - 1)
first, last, train = (number(value, LANG, 2) for value in (val_curve[0], val_curve[-1], train_curve[-1]))
print(LEARNED.format(first=first, last=last, train=train))
print((SAME if abs(gap) < 5 else GAP if gap > 0 else BELOW).format(gap=number(abs(gap), LANG, 0)))
# %% [markdown] en
# **Move the slider**: before the first epoch the copies are grey fog. The thick strokes come first, the details last.
# %% [markdown] fr
# **Déplacez le curseur** : avant la première époque, les copies ne sont qu’un brouillard gris. Les traits épais viennent
# d’abord, les détails ensuite.
# %%
film({epoch: pictures[10:] for epoch, pictures in history.items()}, 3)
# %% [markdown] en
# ## The same with latentlab
#
# `mlp-ae` is the same pair of networks with the same loss. One line trains it. latentlab keeps the run in a folder: the curves,
# the pictures, the weights. `run.networks()` gives both networks as PyTorch modules; its decoder ends before the sigmoid.
#
# Now both on one yardstick: the squared error per pixel on the **test** images, which neither has seen. We compare image by
# image, because an image that is hard for one is hard for the other: the error of the difference is then much smaller.
# %% [markdown] fr
# ## La même chose avec latentlab
#
# `mlp-ae`, ce sont les deux mêmes réseaux avec la même perte. Une ligne suffit pour l’entraîner. latentlab garde tout dans un
# dossier : les courbes, les images, les poids. `run.networks()` donne les deux réseaux sous forme de modules PyTorch ; son
# décodeur s’arrête avant la sigmoïde.
#
# Mesurons maintenant les deux à la même aune : l’erreur quadratique par pixel sur les images de **test**, que ni l’un ni
# l’autre n’a vues. On compare image par image : une image difficile pour l’un l’est aussi pour l’autre, et l’incertitude sur
# la différence en devient bien plus petite.
# %%
run = ll.train("mlp-ae", data=DATA, train_images=TRAIN_IMAGES, latent_dim=Z, epochs=EPOCHS, device=device.type)
print(run)
# %% en
NAMES = ("image", "ours", "latentlab's")
MEAN = "Squared error per pixel on {n} test images: ours {ours}, latentlab's {theirs}."
ALIKE = "The difference, {difference}, is not clear: it is less than two standard errors. By this measure the two are equal."
BETTER = "The difference is {difference}: {who} copies better, by {percent} %, and the difference is {times} times its standard error."
# %% fr
NAMES = ("image", "le nôtre", "latentlab")
MEAN = "Erreur quadratique par pixel sur {n} images de test : la nôtre {ours}, celle de latentlab {theirs}."
ALIKE = "L’écart, {difference}, n’est pas net : il est inférieur à deux erreurs types. À cette aune, les deux se valent."
BETTER = "L’écart est de {difference} : l’autoencodeur qui copie le mieux est {who}, de {percent} %, et cet écart vaut {times} fois son erreur type."
# %%
encoder, decoder = run.networks()["encoder"], run.networks()["decoder"]
with torch.no_grad():
    ours, theirs = g(f(x_test.to(device))).cpu(), torch.sigmoid(decoder(encoder(x_test)))
errors = [(x_test - copy).square().flatten(1).mean(1) for copy in (ours, theirs)]  # [N]
show({name: to_bytes(x[:10]) for name, x in zip(NAMES, (x_test, ours, theirs), strict=True)})

difference, stderr = paired(*errors)
means = [error.mean().item() for error in errors]
told = {"difference": measured(difference, stderr, LANG), "times": number(abs(difference) / stderr, LANG, 0)}
told |= {"who": NAMES[1 if difference < 0 else 2], "percent": number(100 * abs(difference) / max(means), LANG, 0)}
ours, theirs = (significant(mean, LANG) for mean in means)
print(MEAN.format(n=number(len(x_test), LANG), ours=ours, theirs=theirs))
print((ALIKE if abs(difference) < 2 * stderr else BETTER).format(**told))
# %% [markdown] en
# latentlab averages the weights over the last thousands of images that were read, and begins with other random weights. What
# you see is the effect of such details, not of another model.
#
# ## Walk through the latent space
#
# Each dot is a test image where the encoder puts it; 32 dimensions are shown on the plane in which the classes lie furthest
# apart. **Drag the ring**: the decoder draws every point in your browser. Draw a digit on the pad, and see where it falls.
# %% [markdown] fr
# latentlab moyenne les poids sur les derniers milliers d’images lues, et part d’autres poids aléatoires. Ce que vous voyez est
# l’effet de tels détails, et non celui d’un autre modèle.
#
# ## Promenade dans l’espace latent
#
# Chaque point est une image de test, là où l’encodeur la place ; on voit les 32 dimensions sur le plan où les classes sont le
# plus écartées. **Faites glisser l’anneau** : le décodeur dessine chaque point dans votre navigateur. Dessinez un chiffre sur
# la surface noire, et voyez où il tombe.
# %%
explorer = run.explore(lang=LANG)
explorer
# %% [markdown] en
# The point that you have chosen is at hand in Python too. Drag the ring, then run this cell: PyTorch decodes the same code.
# (Where no widget runs, it is the code of the first test image.)
# %% [markdown] fr
# Le point que vous avez choisi est aussi à portée de Python. Déplacez l’anneau, puis exécutez cette cellule : PyTorch décode
# le même code. (Sans widget, c’est le code de la première image de test.)
# %%
code = run.encode(data.test.images[:1]).mean[0] if explorer.code is None else explorer.code
show({"g(z)": run.decode(code[None])}, 1)
# %% [markdown] en
# ## What an autoencoder cannot do
#
# The decoder draws new images, if we know where codes lie. The autoencoder does not say: nothing in its loss $L$ asks the codes
# to lie anywhere. Let us draw codes twice, from the standard normal distribution $\mathcal N(0, I)$, and from a Gaussian fitted
# to the codes as above:
# %% [markdown] fr
# ## Ce qu’un autoencodeur ne sait pas faire
#
# Le décodeur dessine de nouvelles images, pourvu qu’on sache où se trouvent les codes. L’autoencodeur ne le dit pas : rien dans
# sa perte $L$ ne demande aux codes d’être à un endroit donné. Tirons des codes de deux façons : de la loi normale centrée
# réduite $\mathcal N(0, I)$, puis d’une loi gaussienne ajustée aux codes, comme plus haut :
# %% en
DRAWN = ("z from N(0, I)", "z fitted")
SPREAD = "The deviations of the 32 code numbers lie between {low} and {high}; those of N(0, I) are 1."
FAR = "The codes lie elsewhere than N(0, I): its draws are codes that the decoder has never met."
NEAR = "Here they happen to lie near N(0, I). Nothing in the loss asks for it."
# %% fr
DRAWN = ("z de N(0, I)", "z ajusté")
SPREAD = "Les écarts types des 32 nombres du code vont de {low} à {high} ; ceux de N(0, I) valent 1."
FAR = "Les codes sont ailleurs que N(0, I) : ses tirages sont des codes que le décodeur n’a jamais rencontrés."
NEAR = "Ici, ils se trouvent être proches de N(0, I). Rien dans la perte ne le demande."
# %%
with torch.no_grad():
    spread = f(x_test.to(device)).std(0).cpu()
    show({DRAWN[0]: to_bytes(g(epsilon.to(device))), DRAWN[1]: to_bytes(new_images())})
print(SPREAD.format(low=number(spread.min().item(), LANG, 1), high=number(spread.max().item(), LANG, 1)))
print(NEAR if spread.min() > 0.5 and spread.max() < 2 else FAR)
# %% [markdown] en
# Even the fitted Gaussian gives many images that are no digit: between the codes of two digits lie holes, where the decoder
# never learned anything. A **variational autoencoder** fills them. It asks the codes, by one more term in the loss, to be
# spread like $\mathcal N(0, I)$: notebook 2.
#
# ## Exercises
#
# 1. Set `Z` to 2, then to 128, and run the notebook anew. What becomes of the copies, what of the new images?
# 2. Train on digits 0 to 8 only (`data.train.labels` tells them), and copy a 9. What comes out, and why?
# 3. Noise in: copy `x + 0.5 * torch.randn_like(x)`, and compare the copy with the clean `x`. Has the AE learned to remove noise?
# 4. **Write the encoder and the decoder yourself.** In a terminal, one command writes a file to fill in, another tells at once
#    what is wrong with it:
#
#    ```
#    latentlab exercise encoder --out my_encoder.py
#    latentlab check my_encoder.py
#    ```
#
#    Then `decoder` in the same way. `latentlab exercise` lists them all.
#
# And the lab's own question: `latentlab question latent-dim` measures what the size of the latent space changes.
# %% [markdown] fr
# Même la loi ajustée donne bien des images qui ne sont pas des chiffres : entre les codes de deux chiffres se trouvent des trous,
# où le décodeur n’a jamais rien appris. Un **autoencodeur variationnel** les comble. Par un terme de plus dans la perte, il
# demande aux codes de se répartir comme $\mathcal N(0, I)$ : c’est le notebook 2.
#
# ## Exercices
#
# 1. Donnez à `Z` la valeur 2, puis 128, et exécutez de nouveau le notebook. Que deviennent les copies ? Et les nouvelles images ?
# 2. N’entraînez que sur les chiffres de 0 à 8 (`data.train.labels` les indique), puis copiez un 9. Qu’obtenez-vous, et pourquoi ?
# 3. Du bruit à l’entrée : copiez `x + 0.5 * torch.randn_like(x)`, et comparez la copie à `x` sans bruit. L’AE a-t-il appris à
#    débruiter ?
# 4. **Écrivez vous-même l’encodeur et le décodeur.** Dans un terminal, une commande écrit un fichier à compléter, une autre vous
#    dit aussitôt ce qui n’y va pas :
#
#    ```
#    latentlab exercise encoder --out mon_encodeur.py --lang fr
#    latentlab check mon_encodeur.py
#    ```
#
#    Puis `decoder`, de la même façon. `latentlab exercise` en donne la liste.
#
# Et la question du lab : `latentlab question latent-dim` mesure ce que change la taille de l’espace latent.
