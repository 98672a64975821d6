"""The figures of a run, drawn from its folder alone. No torch; matplotlib and scikit-learn load when something is drawn."""

from latentlab.figures.charts import compare_losses as compare_losses
from latentlab.figures.charts import compare_reconstructions as compare_reconstructions
from latentlab.figures.charts import draw_figures as draw_figures
from latentlab.figures.comparison import draw_comparison as draw_comparison
from latentlab.figures.overview import draw_overview as draw_overview
from latentlab.figures.swept import draw_swept as draw_swept
