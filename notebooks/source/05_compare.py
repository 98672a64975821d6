# %% [markdown] en
# # 5 · Comparing them
#
# An AE reports a squared error, a VAE an ELBO, a GAN nothing that means anything by itself. How does one compare them? By what
# all three make: **images**. This notebook builds such a yardstick from scratch, then lets latentlab measure AE, VAE and GAN by
# it.
#
# You will
#
# 1. train a classifier whose features see what matters in a digit;
# 2. write the Fréchet distance in four lines, and learn to read it by its floor;
# 3. compare three models with the same decoder, by quality, by variety, by faithfulness of the copies.
# %% [markdown] fr
# # 5 · Les comparer
#
# Un AE annonce une erreur quadratique, un VAE une ELBO, un GAN rien qui ait un sens en soi. Comment les comparer ? Par ce que
# tous trois produisent : des **images**. Ce notebook construit une telle aune à partir de rien, puis laisse latentlab y mesurer
# AE, VAE et GAN.
#
# Vous allez
#
# 1. entraîner un classifieur dont les caractéristiques voient ce qui compte dans un chiffre ;
# 2. écrire la distance de Fréchet en quatre lignes, et apprendre à la lire à l’aide de son plancher ;
# 3. comparer trois modèles de même décodeur : qualité, variété, fidélité des copies.
# %% include _setup
# %% include _data
# %% [markdown] en
# ## A network that looks
#
# Pixel by pixel, a digit that is shifted by one pixel is a different image. We want to compare what is *seen*. So we train a
# small classifier $c(\phi(x))$, and keep its last hidden layer $\phi(x) \in \mathbb{R}^{64}$: the **features**. The loss is the
# cross-entropy of the classes:
#
# $$L = -\mathbb{E}_{x, y}\big[\log \mathrm{softmax}(c(\phi(x)))_y\big]$$
# %% [markdown] fr
# ## Un réseau qui regarde
#
# Pixel par pixel, un chiffre décalé d’un pixel est une tout autre image. On veut comparer ce qui se *voit*. On entraîne donc un
# petit classifieur $c(\phi(x))$, et on garde sa dernière couche cachée $\phi(x) \in \mathbb{R}^{64}$ : les **caractéristiques**.
# La perte est l’entropie croisée des classes :
#
# $$L = -\mathbb{E}_{x, y}\big[\log \mathrm{softmax}(c(\phi(x)))_y\big]$$
# %%
channels, side = shape[0], shape[1] // 4
y_train, y_test = (torch.tensor(part.labels) for part in (data.train, data.test))

phi = nn.Sequential(
    nn.Conv2d(channels, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
    nn.Flatten(), nn.Linear(32 * side * side, 64), nn.ReLU(),
).to(device)  # [N, C, H, W] → [N, 64]
c = nn.Linear(64, len(data.class_names)).to(device)
optimizer = torch.optim.Adam([*phi.parameters(), *c.parameters()], lr=2e-3)
batches = DataLoader(TensorDataset(x_train, y_train), batch_size=128, shuffle=True, num_workers=0)
for epoch in tqdm(range(1 if QUICK else 3 if DATA == "mnist" else 30)):
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(c(phi(x.to(device))), y.to(device)).backward()
        optimizer.step()
# %% en
ACCURACY = "It names {share} % of the test images rightly."
# %% fr
ACCURACY = "Il nomme correctement {share} % des images de test."
# %%
@torch.no_grad()
def features(images):
    return torch.cat([phi(part.to(device)).cpu() for part in to_unit(images).split(500)]).double()  # [N, 64]


with torch.no_grad():
    right = (c(phi(x_test.to(device))).argmax(1).cpu() == y_test).double().mean().item()
print(ACCURACY.format(share=number(100 * right, LANG, 1)))
# %% [markdown] en
# ## The Fréchet distance
#
# Take the features of generated and of real images for two Gaussians, with means $m, m'$ and covariances $C, C'$. The distance
# between these has a closed form, which sees both quality (wrong features move the mean) and variety (too few kinds of images
# shrink the covariance):
#
# $$d^2 = \lVert m - m' \rVert^2 + \mathrm{tr}\big(C + C' - 2\,(C C')^{1/2}\big)$$
#
# The trace of $(C C')^{1/2}$ is the sum of the square roots of the eigenvalues of $C C'$.
# %% [markdown] fr
# ## La distance de Fréchet
#
# Prenons les caractéristiques des images générées et celles des images réelles pour deux lois gaussiennes, de moyennes $m, m'$ et
# de covariances $C, C'$. La distance entre celles-ci a une forme exacte, qui voit à la fois la qualité (de mauvaises
# caractéristiques déplacent la moyenne) et la variété (trop peu de sortes d’images réduisent la covariance) :
#
# $$d^2 = \lVert m - m' \rVert^2 + \mathrm{tr}\big(C + C' - 2\,(C C')^{1/2}\big)$$
#
# La trace de $(C C')^{1/2}$ est la somme des racines carrées des valeurs propres de $C C'$.
# %%
def frechet(a, b):
    (m, C), (m_, C_) = ((one.mean(0), one.T.cov()) for one in (a, b))
    root = torch.linalg.eigvals(C @ C_).real.clamp(min=0).sqrt().sum()  # tr (C C′)^½
    return ((m - m_).square().sum() + C.trace() + C_.trace() - 2 * root).item()
# %% [markdown] en
# A distance alone says nothing. Is 3 much? Compare it with its **floor**, the distance between two sets of *real* images: nobody
# can expect less, with so many images. And see how it grows when images get worse in ways that we know.
# %% [markdown] fr
# Une distance seule ne dit rien. 3, est-ce beaucoup ? Comparez-la à son **plancher**, la distance entre deux ensembles d’images
# *réelles* : avec autant d’images, nul ne peut espérer moins. Et voyez comme elle croît quand les images se dégradent d’une façon
# que l’on connaît.
# %% en
KINDS = {"real": "other real images", "noise": "real + noise 0.2", "blur": "real, blurred", "few": "real, but 0 and 1 only"}
FLOOR_IS, TIMES = "The floor: {value}", "{name}: {value}, {times} times the floor"
# %% fr
KINDS = {"real": "autres images réelles", "noise": "réelles + bruit 0,2", "blur": "réelles, floutées", "few": "réelles, mais 0 et 1 seulement"}
FLOOR_IS, TIMES = "Le plancher : {value}", "{name} : {value}, soit {times} fois le plancher"
# %%
shuffled = torch.randperm(len(data.test)).numpy()
first, second = np.array_split(shuffled, 2)
real, others = data.test.take(first), data.test.take(second)
x = to_unit(others)
changed = {
    "real": others,
    "noise": to_bytes(x + 0.2 * torch.randn_like(x)),
    "blur": to_bytes(F.avg_pool2d(x, 3, stride=1, padding=1)),
    "few": others[data.test.labels[second] <= 1],
}
distances = {name: frechet(features(images), features(real)) for name, images in changed.items()}
show({KINDS[name]: images for name, images in changed.items()})
for name, value in distances.items():
    times = significant(value / distances["real"], LANG, 2)
    print((FLOOR_IS if name == "real" else TIMES).format(name=KINDS[name], value=significant(value, LANG), times=times))
# %% [markdown] en
# ## Three models with one decoder
#
# latentlab trains AE, VAE and GAN with the same latent size; `conv-ae`, `conv-vae` and the generator of `sn-gan` are one
# architecture. After each stretch of training it keeps samples of the same $z$: here they are under one slider.
# %% [markdown] fr
# ## Trois modèles, un même décodeur
#
# latentlab entraîne AE, VAE et GAN avec la même taille latente ; `conv-ae`, `conv-vae` et le générateur de `sn-gan` ont une seule
# architecture. De loin en loin, il garde des échantillons des mêmes $z$ : les voici sous un curseur.
# %%
options = {"data": DATA, "train_images": TRAIN_IMAGES, "latent_dim": 16, "evaluate_epochs": 1.0, "device": device.type}
STEPS = 4 if QUICK else 300
runs = {
    "AE": ll.train("conv-ae", steps=STEPS, **options),
    "VAE": ll.train("conv-vae", steps=STEPS, **options),
    "GAN": ll.train("sn-gan", steps=2 * STEPS, **options),
}
# %% en
NOW = "at the end"
# %% fr
NOW = "à la fin"
# %%
from latentlab.show.figures.records import cells


def kept(run):
    return [cells(run.folder, "samples", index)[:10] for index in range(len(run.folder.pictures("samples")))]


together = list(zip(*map(kept, runs.values()), strict=False))
film({index: np.concatenate(images) for index, images in enumerate(together)}, 2)
show({f"{name}, {NOW}": run.sample(10) for name, run in runs.items()})
# %% [markdown] en
# ## The yardstick, ours and latentlab's
#
# For each model 1,000 images, drawn as that model draws: VAE and GAN from $\mathcal N(0, I)$, the AE from a Gaussian fitted to its
# codes. `run.evaluate()` measures much more, each number with its error, and `ll.compare` puts them side by side.
#
# A Fréchet distance of so few images is too high, for all three alike: compare it with its floor and with the others here, never with
# a number from elsewhere.
# %% [markdown] fr
# ## L’aune, la nôtre et celle de latentlab
#
# Pour chaque modèle, 1 000 images, tirées comme ce modèle tire : VAE et GAN de $\mathcal N(0, I)$, l’AE d’une loi gaussienne
# ajustée à ses codes. `run.evaluate()` mesure bien davantage, chaque nombre avec son incertitude, et `ll.compare` les met côte à
# côte.
#
# Avec si peu d’images, une distance de Fréchet est trop élevée, et ce pour les trois de la même façon : comparez-la à son plancher et
# aux autres d’ici, jamais à un nombre venu d’ailleurs.
# %%
from IPython.display import Markdown

from latentlab.measure.compare.tables import markdown

COUNT = 60 if QUICK else 1000
own = {name: frechet(features(run.sample(COUNT)), features(real)) for name, run in runs.items()}
for run in runs.values():
    run.evaluate(samples=COUNT, nll_samples=0, **({"extractors": "random-convolutions"} if QUICK else {}))
scores = {name: run.scores["scores"] for name, run in runs.items()}
Markdown(markdown(ll.compare(*runs.values()), LANG))
# %% en
ORDER = "By {measure}, from best to worst: {order}. {clear}"
MEASURES = {"own": "our Fréchet distance", "frechet": "latentlab's Fréchet distance", "recall": "recall (variety)", "precision": "precision (quality of each image)"}
CLEAR, CLOSE = "The first is clearly the best: its interval touches no other.", "The first is not clearly the best: its interval overlaps another."
AGREE, DIFFER = "The two Fréchet distances give the same order, though two classifiers look.", "The two Fréchet distances give different orders: what looks at the images matters."
COPIES = "Copies of test images: {best} has the lower squared error ({low} against {high} per pixel). A GAN copies nothing: it has no encoder."
FLOOR = "All three stay above the floor of {floor}: none is as good as other real images."
REACHED = "{names}: within twice the floor of {floor}."
# %% fr
ORDER = "Selon {measure}, du meilleur au moins bon : {order}. {clear}"
MEASURES = {"own": "notre distance de Fréchet", "frechet": "la distance de Fréchet de latentlab", "recall": "le rappel (la variété)", "precision": "la précision (la qualité de chaque image)"}
CLEAR, CLOSE = "Le premier est nettement le meilleur : son intervalle n’en touche aucun autre.", "Le premier ne se détache pas : son intervalle en recouvre un autre."
AGREE, DIFFER = "Les deux distances de Fréchet donnent le même ordre, bien que deux classifieurs différents regardent.", "Les deux distances de Fréchet donnent des ordres différents : ce qui regarde les images compte."
COPIES = "Copies des images de test : l’erreur quadratique la plus basse est celle de {best} ({low} contre {high} par pixel). Un GAN ne copie rien : il n’a pas d’encodeur."
FLOOR = "Tous trois restent au-dessus du plancher, {floor} : aucun ne vaut d’autres images réelles."
REACHED = "{names} : à moins de deux fois le plancher, {floor}."
# %%
def order(values, larger=False):
    return sorted(values, key=values.get, reverse=larger)


orders = {"own": order(own)}
print(ORDER.format(measure=MEASURES["own"], order=", ".join(orders["own"]), clear=""))
for measure in ("frechet", "recall", "precision"):
    found = {name: scores[name][measure] for name in runs}
    orders[measure] = order({name: one["value"] for name, one in found.items()}, measure != "frechet")
    (low, high), *rest = (found[name]["ci95"] for name in orders[measure])
    overlap = any(low <= above and below <= high for below, above in rest)
    told = {"measure": MEASURES[measure], "clear": CLOSE if overlap else CLEAR}
    print(ORDER.format(order=", ".join(orders[measure]), **told))
print(AGREE if orders["own"] == orders["frechet"] else DIFFER)

floor = scores["GAN"]["frechet"]["floor"]
near = [name for name in runs if scores[name]["frechet"]["value"] < 2 * floor]
print((REACHED if near else FLOOR).format(names=", ".join(near), floor=significant(floor, LANG)))
mse = {name: scores[name]["reconstruction_mse"]["value"] for name in ("AE", "VAE")}
low, high = (significant(value, LANG) for value in sorted(mse.values()))
print(COPIES.format(best=order(mse)[0], low=low, high=high))
# %% [markdown] en
# ## The same z, three models
#
# Drag the ring: each model draws the same $z$. The AE first brings $z$ to where its codes lie.
# %% [markdown] fr
# ## Le même z, trois modèles
#
# Faites glisser l’anneau : chaque modèle dessine le même $z$. L’AE l’amène d’abord là où sont ses codes.
# %%
ll.explore(*runs.values(), lang=LANG)
# %% [markdown] en
# ## What each is good for
#
# | | AE | VAE | GAN |
# |---|---|---|---|
# | learns by | copying | copying, with noisy codes near the prior | deceiving a judge |
# | new images | only after fitting a distribution to its codes | from $\mathcal N(0, I)$ | from $\mathcal N(0, I)$ |
# | code of an image | yes | yes, with its uncertainty | no |
# | likelihood | no | a bound | no |
# | typical weakness | holes between the codes | soft images | mode collapse, unstable training |
# | good for | compression, features, denoising | representations, interpolation, anomaly detection | sharp images |
#
# ## Exercises
#
# 1. Give all three a tenth of the training images (`TRAIN_IMAGES = 2_000`). Which one suffers most?
# 2. Measure with 100 images instead of 1,000. What happens to the floor, and to the intervals?
# 3. Find images with a low Fréchet distance that you would call bad. (Copies of training images? `nearest_train_distance` tells.)
# 4. **Derive it**: the KL of two Gaussians, the ELBO, the optimal discriminator; then **find the errors** in ten pieces of code:
#
#    ```
#    latentlab exercise derivations --out my_derivations.py
#    latentlab exercise broken --out broken.py
#    latentlab check my_derivations.py
#    ```
#
# The lab's question: `latentlab question ae-vs-vae-vs-gan`. The whole comparison on one page: `latentlab lab`.
# %% [markdown] fr
# ## À quoi sert chacun
#
# | | AE | VAE | GAN |
# |---|---|---|---|
# | apprend en | copiant | copiant, avec des codes bruités proches de la loi a priori | trompant un juge |
# | nouvelles images | après avoir ajusté une loi à ses codes | à partir de $\mathcal N(0, I)$ | à partir de $\mathcal N(0, I)$ |
# | code d’une image | oui | oui, avec son incertitude | non |
# | vraisemblance | non | un minorant | non |
# | faiblesse typique | des trous entre les codes | des images floues | effondrement des modes, entraînement instable |
# | se prête à | compression, caractéristiques, débruitage | représentations, interpolation, détection d’anomalies | images nettes |
#
# ## Exercices
#
# 1. Ne donnez aux trois qu’un dixième des images d’entraînement (`TRAIN_IMAGES = 2_000`). Lequel en souffre le plus ?
# 2. Mesurez avec 100 images au lieu de 1 000. Que deviennent le plancher et les intervalles ?
# 3. Trouvez des images dont la distance de Fréchet est basse et que vous jugeriez mauvaises. (Des copies d’images
#    d’entraînement ? `nearest_train_distance` le dit.)
# 4. **Démontrez-le** : la KL de deux lois gaussiennes, l’ELBO, le discriminateur optimal ; puis **trouvez les erreurs** de dix
#    morceaux de code :
#
#    ```
#    latentlab exercise derivations --out mes_calculs.py --lang fr
#    latentlab exercise broken --out erreurs.py --lang fr
#    latentlab check mes_calculs.py
#    ```
#
# La question du lab : `latentlab question ae-vs-vae-vs-gan`. Toute la comparaison sur une page : `latentlab lab`.
