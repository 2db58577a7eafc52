/** The first words of a report, and its few numbers, large. */
import { empty, type Html, html } from "./html.ts"
import type { Headline } from "./Report.ts"

export const renderHeadline = ({ sentence, figures }: typeof Headline.Type): Html =>
  html`<p class="headline">${sentence}</p>${figures.length === 0 ? empty : html`<dl class="figures">${figures.map(renderFigure)}</dl>`}`

const renderFigure = ({ value, label, detail }: (typeof Headline.Type)["figures"][number]): Html =>
  html`<div><dt>${label}</dt><dd><strong>${value}</strong>${detail === undefined ? empty : html`<small>${detail}</small>`}</dd></div>`
