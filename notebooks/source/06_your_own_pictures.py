# %% [markdown] en
# # 6 · Your own pictures
#
# Digits are easy: white on black, in the middle, of ten kinds. Now for pictures of your own. Put a folder's path into `FOLDER`
# below. Without one, the notebook takes the *Abstract Art Gallery* where Kaggle has attached it, and else lets latentlab draw
# 400 abstract pictures.
#
# You will
#
# 1. make a data set of a folder, in a dozen lines;
# 2. train a VAE on colours, and see what it can say about pictures that it has never seen;
# 3. train a VAE and a GAN with latentlab, and measure sharpness, variety, and whether they copy;
# 4. walk through the latent space of your pictures.
# %% [markdown] fr
# # 6 · Vos propres images
#
# Les chiffres sont faciles : blancs sur fond noir, au milieu, de dix sortes. Passons à vos propres images. Mettez le chemin d’un
# dossier dans `FOLDER` ci-dessous. Sans dossier, le notebook prend l’*Abstract Art Gallery* si Kaggle l’a jointe, et sinon fait
# dessiner par latentlab 400 images abstraites.
#
# Vous allez
#
# 1. faire d’un dossier un jeu de données, en une douzaine de lignes ;
# 2. entraîner un VAE sur des couleurs, et voir ce qu’il sait dire d’images qu’il n’a jamais vues ;
# 3. entraîner avec latentlab un VAE et un GAN, et mesurer leur netteté, leur variété, et s’ils recopient ;
# 4. vous promener dans l’espace latent de vos images.
# %% include _setup
# %% [markdown] en
# ## The pictures
# %% [markdown] fr
# ## Les images
# %% en
FOUND = "{count} pictures in {folder}"
# %% fr
FOUND = "{count} images dans {folder}"
# %%
FOLDER = ""
KAGGLE = ("abstract-art-gallery", "datasets/*/abstract-art-gallery")
MOST, DRAWN = 1000, 60 if QUICK else 400


def pictures_in(folder):
    kinds = (".jpg", ".jpeg", ".png", ".webp")
    return sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in kinds)


attached = [place for pattern in KAGGLE for place in Path("/kaggle/input").glob(pattern)]
folders = [Path(FOLDER)] if FOLDER else attached
folder = next((place for place in folders if pictures_in(place)), Path("drawn-pictures"))
if not folder.exists():
    draw = ["data", "make-art", "--count", str(DRAWN), "--size", "64", "--out", str(folder)]
    subprocess.run([sys.executable, "-m", "latentlab", *draw], check=True, capture_output=True)
files = pictures_in(folder)[:MOST]
print(FOUND.format(count=number(len(files), LANG), folder=folder.name))
# %% [markdown] en
# A PyTorch `Dataset` says how many examples there are, and how to get one. Ours opens a file, cuts the largest square out of its
# middle, and brings it to 32 × 32 pixels. Opening files is slow, so we do it once: a `DataLoader` reads them all into one array.
#
# `ll.load_data` cuts the array into training, validation and test images, by what the pictures show: the same picture always
# falls into the same part, also when you add others.
# %% [markdown] fr
# Un `Dataset` de PyTorch dit combien il y a d’exemples, et comment en obtenir un. Le nôtre ouvre un fichier, découpe le plus grand
# carré en son milieu, et le ramène à 32 × 32 pixels. Ouvrir des fichiers est lent ; on ne le fait donc qu’une fois : un
# `DataLoader` les lit tous dans un seul tableau.
#
# `ll.load_data` répartit ce tableau en images d’entraînement, de validation et de test, d’après leur contenu : la même image tombe
# toujours dans la même partie, même si vous en ajoutez d’autres.
# %%
from PIL import Image, ImageOps
from torch.utils.data import Dataset

SIDE = 32


class Pictures(Dataset):
    def __init__(self, files):
        self.files = files

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        with Image.open(self.files[index]) as picture:
            return torch.tensor(np.array(ImageOps.fit(picture.convert("RGB"), (SIDE, SIDE))))  # uint8 [H, W, C]


loader = DataLoader(Pictures(files), batch_size=32, num_workers=0)
images = torch.cat(list(tqdm(loader))).numpy()  # uint8 [N, H, W, C]
data = ll.load_data(images)
x_train, x_val, x_test = (to_unit(part.images) for part in (data.train, data.val, data.test))  # [N, C, H, W]
shape = x_train.shape[1:]
show({"": data.train.images[:14], " ": data.train.images[14:28]}, 14)
print(*(f"{name}: {len(x)}" for name, x in (("train", x_train), ("val", x_val), ("test", x_test))), sep=", ")
# %% [markdown] en
# ## A VAE on colours
#
# The equations are those of notebook 2; only the networks are convolutional and have three channels. The cross-entropy is summed
# over the channels too:
#
# $$-\log p(x|z) = -\sum_{i,\,c} \big[x_{ic} \log \hat x_{ic} + (1 - x_{ic}) \log (1 - \hat x_{ic})\big]$$
#
# Of some hundred pictures a VAE learns colours and soft shapes. Do not expect brush strokes.
# %% [markdown] fr
# ## Un VAE sur des couleurs
#
# Les équations sont celles du notebook 2 ; seuls les réseaux changent : ils sont convolutifs et ont trois canaux. L’entropie
# croisée est aussi sommée sur les canaux :
#
# $$-\log p(x|z) = -\sum_{i,\,c} \big[x_{ic} \log \hat x_{ic} + (1 - x_{ic}) \log (1 - \hat x_{ic})\big]$$
#
# À partir de quelques centaines d’images, un VAE apprend des couleurs et des formes douces. N’en attendez pas de coups de pinceau.
# %%
Z, channels, side = 32, shape[0], SIDE // 4

encoder = nn.Sequential(
    nn.Conv2d(channels, 32, 4, 2, 1), nn.ELU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ELU(),
    nn.Flatten(), nn.Linear(64 * side * side, 2 * Z),
).to(device)
decoder = nn.Sequential(
    nn.Linear(Z, 64 * side * side), nn.ELU(), nn.Unflatten(1, (64, side, side)),
    nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ELU(), nn.ConvTranspose2d(32, channels, 4, 2, 1),
).to(device)


def negative_elbo(x):
    mu, log_var = encoder(x).chunk(2, dim=1)
    z = mu + (0.5 * log_var).exp() * torch.randn_like(mu)  # z = μ + σ ⊙ ε
    logits = decoder(z)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)  # −log p(x|z)
    return reconstruction + 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)  # + KL(q(z|x) ‖ p(z))


EPOCHS = 2 if QUICK else 30
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
batches = DataLoader(TensorDataset(x_train), batch_size=32, shuffle=True, num_workers=0)
z_fixed = torch.randn(20, Z, device=device)


@torch.no_grad()
def new_images():
    return to_bytes(torch.sigmoid(decoder(z_fixed)))


train_curve, val_curve, history = [], [], {0: new_images()}
for epoch in tqdm(range(1, EPOCHS + 1)):
    total = 0.0
    for (x,) in batches:
        batch_loss = negative_elbo(x.to(device)).mean()
        optimizer.zero_grad()
        batch_loss.backward()
        optimizer.step()
        total += batch_loss.item() * len(x)
    train_curve.append(total / len(x_train))
    with torch.no_grad():
        val_curve.append(negative_elbo(x_val.to(device)).mean().item())
    history[epoch] = new_images()
# %% en
TRAINING, VALIDATION, LOSS = "training", "validation", "negative ELBO (nats)"
LOWEST = "On validation images the lowest value, {low} nats, came after epoch {epoch} of {all}."
OVER = "Since then it has risen by {rise} nats while the training value went on falling: over-fitting. So few pictures are soon learned one by one."
STILL = "It was still falling at the end: more epochs would help."
# %% fr
TRAINING, VALIDATION, LOSS = "entraînement", "validation", "ELBO négative (nats)"
LOWEST = "Sur les images de validation, la valeur la plus basse, {low} nats, a été atteinte après l’époque {epoch} sur {all}."
OVER = "Depuis, elle a remonté de {rise} nats, tandis que celle d’entraînement continuait de baisser : c’est du surapprentissage. Si peu d’images sont vite apprises une à une."
STILL = "Elle baissait encore à la fin : davantage d’époques aideraient."
# %%
curves({TRAINING: train_curve, VALIDATION: val_curve}, y=LOSS)
lowest = int(np.argmin(val_curve))
print(LOWEST.format(low=number(val_curve[lowest], LANG, 0), epoch=lowest + 1, all=EPOCHS))
rise = val_curve[-1] - val_curve[lowest]
if lowest + 1 == EPOCHS:
    print(STILL)
elif train_curve[-1] < train_curve[lowest] and rise > 1:
    print(OVER.format(rise=number(rise, LANG, 0)))
film(history)
# %% [markdown] en
# ## The same with latentlab, and a GAN
#
# `ll.train` takes the array itself. `art-gan` is the preset for some hundred pictures: against a discriminator that soon knows
# them all, it shifts and mirrors what $D$ sees, keeps $D$'s gradient small (R1), smooths labels, and has two learning rates and two
# generator updates. It is shortened here; for good results give it 1,800 steps at 64 × 64 pixels.
# %% [markdown] fr
# ## La même chose avec latentlab, et un GAN
#
# `ll.train` prend le tableau lui-même. `art-gan` est le préréglage fait pour quelques centaines d’images : contre un discriminateur
# qui les connaîtrait vite toutes, il décale ce que $D$ voit ou le renverse en miroir, garde petit le gradient de $D$ (R1), lisse les
# étiquettes, et a deux taux d’apprentissage et deux mises à jour du générateur. Il est abrégé ici ; pour de bons résultats,
# donnez-lui 1 800 pas à 64 × 64 pixels.
# %%
vae = ll.train("conv-vae", data=images, latent_dim=Z, batch_size=32, steps=4 if QUICK else 300, device=device.type)
gan = ll.train("art-gan", data=images, image_size=None, steps=4 if QUICK else 150, device=device.type)
x = data.test.images[:10]
show({"x": x, "VAE(x)": vae.reconstruct(x), "VAE": vae.sample(10), "GAN": gan.sample(10)})
# %% [markdown] en
# ## What do the two models make?
#
# Three numbers that anybody can check, on 100 images of each model. Beside them what real pictures have that no model learned from:
#
# - **sharpness**: how much neighbouring pixels differ, on average;
# - **variety**: the distance between two images of the same set, on average;
# - **copies**: the distance to the nearest training picture. Far below what real pictures have would mean copying.
#
# All are root mean squares per pixel, from 0 to 1.
# %% [markdown] fr
# ## Que produisent les deux modèles ?
#
# Trois nombres que chacun peut vérifier, sur 100 images de chaque modèle. À côté, ceux d’images réelles dont aucun modèle n’a rien
# appris :
#
# - la **netteté** : de combien les pixels voisins diffèrent, en moyenne ;
# - la **variété** : la distance entre deux images du même ensemble, en moyenne ;
# - les **copies** : la distance à l’image d’entraînement la plus proche. Bien au-dessous de celle d’images réelles, ce serait de la
#   copie.
#
# Tous sont des moyennes quadratiques par pixel, de 0 à 1.
# %% en
MEASURES = ("sharpness", "variety", "nearest training picture")
REAL, LINE = "real", "{measure}: real {real}, VAE {vae}, GAN {gan}"
SHARP = "Sharper of the two, and {percent} % of the real pictures' sharpness: {who}."
VARIED = "More varied, with {percent} % of the real pictures' variety: {who}."
COPYING = "Less than half as far from the nearest training picture as real ones are: {who}. That is copying, or mere softness, which is near to everything."
FREE = "Both are at least half as far from the nearest training picture as real ones are: nothing speaks of copying."
# %% fr
MEASURES = ("netteté", "variété", "image d’entraînement la plus proche")
REAL, LINE = "réelles", "{measure} : réelles {real}, VAE {vae}, GAN {gan}"
SHARP = "Le plus net des deux, avec {percent} % de la netteté des images réelles : {who}."
VARIED = "Le plus varié, avec {percent} % de la variété des images réelles : {who}."
COPYING = "Moins de la moitié de la distance qui sépare une image réelle de l’image d’entraînement la plus proche : {who}. C’est de la copie, ou simplement du flou, qui est proche de tout."
FREE = "Tous deux sont au moins à la moitié de la distance qui sépare une image réelle de l’image d’entraînement la plus proche : rien n’indique de copie."
# %%
def sharpness(x):
    return (torch.diff(x, dim=2).square().mean() + torch.diff(x, dim=3).square().mean()).div(2).sqrt().item()


def distances(a, b):
    return torch.cdist(a.flatten(1), b.flatten(1)) / shape.numel() ** 0.5  # [N, M]


def variety(x):
    return (distances(x, x).sum() / (len(x) * (len(x) - 1))).item()


def nearest(x):
    return distances(x, x_train).min(1).values.median().item()


sets = {"real": torch.cat([x_val, x_test])[:100], "vae": to_unit(vae.sample(100)), "gan": to_unit(gan.sample(100))}
found = [{name: measure(x) for name, x in sets.items()} for measure in (sharpness, variety, nearest)]
for measure, values in zip(MEASURES, found, strict=True):
    print(LINE.format(measure=measure, **{name: number(value, LANG, 3) for name, value in values.items()}))
for words, values in zip((SHARP, VARIED), found, strict=False):
    who = max(("vae", "gan"), key=values.get)
    print(words.format(who=who.upper(), percent=number(100 * values[who] / values["real"], LANG, 0)))
copying = [name.upper() for name in ("vae", "gan") if found[2][name] < 0.5 * found[2]["real"]]
print(COPYING.format(who=", ".join(copying)) if copying else FREE)
# %% [markdown] en
# ## Walk through your pictures
#
# Dots are held-out pictures. Drag the ring, draw with colours on the pad, take two pictures and walk from one to the other.
# %% [markdown] fr
# ## Promenade parmi vos images
#
# Les points sont des images mises de côté. Faites glisser l’anneau, dessinez en couleurs sur la surface noire, prenez deux images et
# passez de l’une à l’autre.
# %%
ll.explore(vae, gan, lang=LANG)
# %% [markdown] en
# ## Exercises
#
# 1. Train on 100 pictures instead of all. After which epoch does the validation curve turn, and what do the new images become?
# 2. Copy a picture that is quite unlike the others (a photograph among paintings). What does the VAE make of it?
# 3. Sub-folders are classes for latentlab: `latentlab train conv-vae --data folder:PATH` shows them on the latent map.
# 4. **Write the whole VAE step yourself**, and train it on your pictures:
#
#    ```
#    latentlab exercise vae-step --out my_vae.py
#    latentlab check my_vae.py
#    latentlab train my_vae.py
#    ```
#
# All four models on your folder, measured and on one page: `latentlab lab --data folder:PATH`.
# %% [markdown] fr
# ## Exercices
#
# 1. Entraînez sur 100 images au lieu de toutes. Après quelle époque la courbe de validation remonte-t-elle, et que deviennent les
#    nouvelles images ?
# 2. Copiez une image très différente des autres (une photographie parmi des tableaux). Qu’en fait le VAE ?
# 3. Pour latentlab, des sous-dossiers sont des classes : `latentlab train conv-vae --data folder:CHEMIN` les montre sur la carte
#    latente.
# 4. **Écrivez vous-même tout le pas du VAE**, et entraînez-le sur vos images :
#
#    ```
#    latentlab exercise vae-step --out mon_vae.py --lang fr
#    latentlab check mon_vae.py
#    latentlab train mon_vae.py
#    ```
#
# Les quatre modèles sur votre dossier, mesurés et réunis sur une page : `latentlab lab --data folder:CHEMIN`.
