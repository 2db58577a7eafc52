/**
 * What runs in the page: values under the pointer, samples by their tags, what is folded opened for printing, and loading a page again
 * whose run still works. Everything can be read without it. Plain JavaScript of every browser; it puts text into the page only as text.
 */
export const script = `"use strict"
for (const plot of document.querySelectorAll("[data-chart]")) {
  const chart = JSON.parse(plot.dataset.chart)
  const cursor = plot.appendChild(document.createElement("div"))
  const tip = plot.appendChild(document.createElement("div"))
  cursor.className = "cursor"
  tip.className = "tip"
  tip.setAttribute("role", "status")
  let at = 1000
  const nearest = ({ at: places }) => {
    let low = 0
    let high = places.length - 1
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (places[middle] > at) high = middle
      else low = middle
    }
    return Math.abs(places[high] - at) < Math.abs(places[low] - at) ? high : low
  }
  const show = () => {
    const words = []
    let place = at
    for (const series of chart.series) {
      if (series.at.length === 0) continue
      if (at < series.at[0] - 20 || at > series.at[series.at.length - 1] + 20) continue
      const index = nearest(series)
      place = series.at[index]
      const mean = series.mean ? " (mean " + series.mean[index] + ")" : ""
      words.push(series.name + ", " + chart.x + " " + series.x[index] + ": " + series.y[index] + mean)
    }
    tip.textContent = words.join("\\n")
    tip.style.display = cursor.style.display = words.length > 0 ? "block" : "none"
    cursor.style.left = place / 10 + "%"
    tip.style.left = place > 500 ? "auto" : place / 10 + "%"
    tip.style.right = place > 500 ? 100 - place / 10 + "%" : "auto"
  }
  const hide = () => { tip.style.display = cursor.style.display = "none" }
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect()
    at = Math.max(0, Math.min(1000, 1000 * (event.clientX - box.left) / box.width))
    show()
  })
  plot.addEventListener("pointerleave", hide)
  plot.addEventListener("focus", show)
  plot.addEventListener("blur", hide)
  plot.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -10, ArrowRight: 10 }[event.key]
    if (by === undefined) return
    event.preventDefault()
    at = Math.max(0, Math.min(1000, at + by))
    show()
  })
}
for (const filter of document.querySelectorAll(".filter")) {
  filter.hidden = false
  filter.addEventListener("change", ({ target }) => {
    for (const sample of filter.nextElementSibling.children) {
      sample.hidden = target.value !== "" && !JSON.parse(sample.dataset.tags).includes(target.value)
    }
  })
}
let opened = []
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")]
  for (const details of opened) details.open = true
})
addEventListener("afterprint", () => { for (const details of opened) details.open = false })
const live = document.querySelector(".live")
if (live) {
  const seconds = Number(live.dataset.refresh)
  const wanted = live.querySelector("input")
  wanted.parentElement.hidden = false
  const tell = () => {
    const minutes = Math.floor((Date.now() - Number(live.dataset.written)) / 60000)
    if (minutes < 1) return
    live.querySelector(".age").textContent = "Written " + minutes + " min ago."
    if (minutes * 60 > 4 * seconds + 600) live.querySelector(".now").textContent = "The run has not written for long: it may have ended."
  }
  tell()
  setInterval(() => {
    tell()
    if (wanted.checked && document.visibilityState === "visible") location.reload()
  }, seconds * 1000)
}
`
