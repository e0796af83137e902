#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scatter plot of predicted against measured latencies, from files of `wattline validate --format json`.

    tools/scatter.py A.json [B.json ...] > plot.svg

Both axes are logarithmic; the lines are equality and 12 % either way. One colour per thread count,
filled marks for the smallest batch of a model.
"""
import json
import math
import os
import sys

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 560, 70, 50, 20, 20
COLOURS = ["#1b6ca8", "#c8553d", "#5a8f3c", "#7a4fa3"]


def points(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for p in json.load(file)["models"]:
                if p["measured_s"] and not p.get("failure") and not p.get("excluded"):
                    yield p


def decade_label(e):
    return {-6: "1 µs", -5: "10 µs", -4: "100 µs", -3: "1 ms", -2: "10 ms", -1: "100 ms", 0: "1 s",
            1: "10 s"}.get(e, f"1e{e} s")


def main():
    rows = list(points(sys.argv[1:]))
    values = [v for p in rows for v in (p["measured_s"], p["predicted_s"])]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    plot_w, plot_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(v):
        return LEFT + plot_w * (math.log10(v) - low) / (high - low)

    def y(v):
        return HEIGHT - BOTTOM - plot_h * (math.log10(v) - low) / (high - low)

    def line(a, b, c, d, style):
        return f'<line x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}" {style}/>'

    def text(a, b, s, extra=""):
        return f'<text x="{a:.1f}" y="{b:.1f}" {extra}>{s}</text>'

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for e in range(low, high + 1):
        v, grid = 10.0 ** e, 'stroke="#ddd"'
        out += [line(x(v), TOP, x(v), HEIGHT - BOTTOM, grid),
                line(LEFT, y(v), WIDTH - RIGHT, y(v), grid),
                text(x(v), HEIGHT - BOTTOM + 16, decade_label(e), 'text-anchor="middle"'),
                text(LEFT - 6, y(v) + 4, decade_label(e), 'text-anchor="end"')]
    a, b = 10.0 ** low, 10.0 ** high
    for factor, style in ((1, 'stroke="#444"'), (1.12, 'stroke="#999" stroke-dasharray="4 3"'),
                          (1 / 1.12, 'stroke="#999" stroke-dasharray="4 3"')):
        start, end = max(a, a / factor), min(b, b / factor)
        out.append(line(x(start), y(start * factor), x(end), y(end * factor), style))
    threads = sorted({p["threads"] for p in rows})
    smallest = {}
    for p in rows:
        smallest[p["name"]] = min(p["batch"], smallest.get(p["name"], p["batch"]))
    for p in rows:
        colour = COLOURS[threads.index(p["threads"]) % len(COLOURS)]
        fill = colour if p["batch"] == smallest[p["name"]] else "none"
        error = 100 * (p["predicted_s"] / p["measured_s"] - 1)
        name = os.path.basename(p["name"]).removesuffix(".onnx")
        out.append(f'<circle cx="{x(p["measured_s"]):.1f}" cy="{y(p["predicted_s"]):.1f}" r="3" '
                   f'fill="{fill}" fill-opacity="0.6" stroke="{colour}"><title>{name}, batch '
                   f'{p["batch"]}, {p["threads"]} threads: {error:+.1f} %</title></circle>')
    for i, t in enumerate(threads):
        out += [f'<circle cx="{LEFT + 16}" cy="{TOP + 16 + 18 * i}" r="4" '
                f'fill="{COLOURS[i % len(COLOURS)]}"/>',
                text(LEFT + 26, TOP + 20 + 18 * i, f'{t} thread{"s" if t > 1 else ""}')]
    out += [text(LEFT + plot_w / 2, HEIGHT - 10, "measured", 'text-anchor="middle"'),
            text(16, TOP + plot_h / 2, "predicted",
                 f'text-anchor="middle" transform="rotate(-90 16 {TOP + plot_h / 2:.1f})"'), "</svg>"]
    print("\n".join(out))


if __name__ == "__main__":
    main()
