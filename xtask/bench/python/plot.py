"""Draws what `cargo xtask bench` measured: a bar for each client, as SVG and PNG.

Arguments: the file with the figures (section, client and figure, tab-separated), and the directory for the plots.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

figures, out = map(Path, sys.argv[1:])
sections: dict[str, list[tuple[str, float]]] = {}
for line in figures.read_text().splitlines():
    section, client, figure = line.split("\t")
    sections.setdefault(section, []).append((client, float(figure)))

for section, bars in sections.items():
    names, heights = zip(*reversed(bars))
    plot, axes = pyplot.subplots(figsize=(8, 0.8 + 0.4 * len(bars)), layout="constrained")
    colours = ["#c1440e" if "omcache" in name.lower() else "#7a8b99" for name in names]
    axes.bar_label(axes.barh(names, heights, color=colours), fmt="{:,.4g}", padding=3)
    axes.set_title(section, loc="left")
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    name = re.sub("[^a-z0-9]+", "-", section.lower()).strip("-")
    for ending in ("svg", "png"):
        plot.savefig(out / f"{name}.{ending}")
    pyplot.close(plot)
