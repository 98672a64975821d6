# %% [markdown] en
# ## Set-up
#
# Run the cells from top to bottom: **Shift + Enter** runs one and goes to the next. The cells of this section bring what the
# others use, and are folded: you may run them without reading them. A click on the three dots unfolds one.
# %% [markdown] fr
# ## Préparation
#
# Exécutez les cellules de haut en bas : **Maj + Entrée** en exécute une et passe à la suivante. Celles de cette section
# apportent ce dont les autres se servent, et sont repliées : vous pouvez les exécuter sans les lire. Un clic sur les trois points
# en déplie une.
# %% en
LANG = "en"
NO_WHEEL = "latentlab is not installed. Write its wheel by `make wheel`, and put dist/*.whl beside this notebook (Kaggle: attach it as a data set)."
UNDER_SLIDER, AFTER_EPOCH = "epoch", "after epoch {epoch}"
# %% fr
LANG = "fr"
NO_WHEEL = "latentlab n’est pas installé. Écrivez son wheel par `make wheel`, et mettez dist/*.whl à côté de ce notebook (Kaggle : joignez-le comme jeu de données)."
UNDER_SLIDER, AFTER_EPOCH = "époque", "après l’époque {epoch}"
# %%
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("latentlab") is None:
    wheels = [wheel for place in (".", "../../dist", "/content") for wheel in Path(place).glob("latentlab-*.whl")]
    wheels += Path("/kaggle/input").rglob("latentlab-*.whl")
    if not wheels:
        raise FileNotFoundError(NO_WHEEL)
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    for package in (str(wheels[0]), "anywidget"):
        if subprocess.run([*pip, "--no-index", "--find-links", wheels[0].parent, package], capture_output=True).returncode:
            subprocess.run([*pip, package])
    importlib.invalidate_caches()
# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from tqdm.auto import tqdm

import latentlab as ll
from latentlab.base.images import grid
from latentlab.base.machine import pick_device
from latentlab.base.texts import measured, number, significant
from latentlab.config.sources import parse
from latentlab.data import is_at_hand

QUICK = "LATENTLAB_NOTEBOOK_QUICK" in os.environ
device = pick_device("auto")
torch.manual_seed(0)
plt.rcParams |= {"figure.dpi": 80, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}
print(f"PyTorch {torch.__version__}, {device}")
# %%
def to_unit(images):
    # uint8 [N, H, W, C] → [N, C, H, W] ∈ [0, 1]
    return torch.tensor(images).permute(0, 3, 1, 2).float() / 255


def to_bytes(x):
    # [N, C, H, W] ∈ [0, 1] → uint8 [N, H, W, C]
    return (255 * x.detach().clamp(0, 1)).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def show(rows, columns=10):
    # {name: uint8 [N, H, W, C]}
    _, axes = plt.subplots(len(rows), figsize=(9, 0.95 * len(rows)), squeeze=False, gridspec_kw={"hspace": 0.05})
    for axis, (name, images) in zip(axes[:, 0], rows.items(), strict=True):
        axis.imshow(np.broadcast_to(sheet := grid(images[:columns], columns, gap=1), (*sheet.shape[:2], 3)), interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    plt.show()


def film(history, shown=5):
    # {epoch: uint8 [N, H, W, C]}
    epochs = sorted(history)
    try:
        from ipywidgets import SelectionSlider, interact

        def at(epoch):
            _, axis = plt.subplots(figsize=(5, 2.6))
            axis.imshow(np.broadcast_to(sheet := grid(history[epoch], 10, gap=1), (*sheet.shape[:2], 3)), interpolation="nearest")
            axis.axis("off")
            plt.show()

        interact(at, epoch=SelectionSlider(options=epochs, value=epochs[-1], description=UNDER_SLIDER))
    except ImportError:
        pass
    some = sorted({epochs[round(k)] for k in np.linspace(0, len(epochs) - 1, shown)})
    show({AFTER_EPOCH.format(epoch=epoch): history[epoch] for epoch in some})


def curves(named, y=""):
    # {name: [values]}
    plt.figure(figsize=(6, 2.6))
    for name, values in named.items():
        plt.plot(range(1, len(values) + 1), values, label=name, marker="." if len(values) < 60 else None)
    plt.gca().yaxis.set_major_formatter(lambda value, _: number(value, LANG))
    plt.gca().xaxis.get_major_locator().set_params(integer=True)
    plt.xlabel(UNDER_SLIDER)
    plt.ylabel(y)
    plt.legend()
    plt.show()


def paired(a, b):
    # E[a − b] ± √(Var[a − b] / N)
    difference = torch.as_tensor(a).double() - torch.as_tensor(b).double()
    return difference.mean().item(), (difference.std() / len(difference) ** 0.5).item()
