// Owns what is asked of an open page, as scripts that run in it: sizes, contrast, legibility.

/** Whether the page is wider than the screen. */
export const OVERFLOW = `document.documentElement.scrollWidth - window.innerWidth`

/** Smallest size in px at which text of a drawing is shown, its scale counted in. */
export const SMALLEST_TEXT = `Math.min(...[...document.querySelectorAll('svg text')].map((text) =>
  parseFloat(getComputedStyle(text).fontSize) * Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b)))`

/**
 * Texts whose contrast (WCAG 2) with what lies behind them is below 4.5, as [ratio, text]. Any colour
 * is painted on a canvas to learn its RGB. Behind a text of a drawing lies its card, or the cell of the
 * confusion matrix that it is in.
 */
export const LOW_CONTRAST = `(() => {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const known = new Map()
  const rgb = (colour) => {
    if (!known.has(colour)) {
      context.clearRect(0, 0, 1, 1)
      context.fillStyle = colour
      context.fillRect(0, 0, 1, 1)
      known.set(colour, [...context.getImageData(0, 0, 1, 1).data])
    }
    return known.get(colour)
  }
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const ratio = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x)
    return (high + 0.05) / (low + 0.05)
  }
  const behind = (element) => {
    const style = getComputedStyle(element)
    if (style.backgroundImage !== 'none') return rgb(getComputedStyle(document.documentElement).getPropertyValue('--bar').trim())
    const colour = rgb(style.backgroundColor)
    return colour[3] === 255 || element.parentElement === null ? colour : behind(element.parentElement)
  }
  const cellBehind = (text) => {
    const box = text.getBoundingClientRect()
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2]
    const cell = [...text.ownerSVGElement.querySelectorAll('rect')].findLast((rect) => {
      const area = rect.getBoundingClientRect()
      return area.left <= x && x <= area.right && area.top <= y && y <= area.bottom
    })
    return cell === undefined ? behind(text.ownerSVGElement) : rgb(getComputedStyle(cell).fill)
  }
  const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '')
  const page = [...document.body.querySelectorAll('*')].filter((element) => own(element) && !element.closest('svg'))
    .map((element) => [ratio(rgb(getComputedStyle(element).color), behind(element)), element.textContent.slice(0, 40)])
  const drawn = [...document.querySelectorAll('svg text')].filter((text) => text.textContent !== '')
    .map((text) => [ratio(rgb(getComputedStyle(text).fill), cellBehind(text)), text.textContent])
  return [...page, ...drawn].filter(([value]) => value < 4.5)
})()`

/** What could run or load something. */
export const ACTIVE = `[...document.querySelectorAll('script, iframe, object, embed, form, base')].length
  + [...document.querySelectorAll('*')].filter((element) =>
      [...element.attributes].some(({ name, value }) => name.startsWith('on') || /^\\s*javascript:/i.test(value))).length`

/** How many drawings have no text for those who do not see them. */
export const UNNAMED_DRAWINGS = `[...document.querySelectorAll('svg')].filter((svg) =>
  svg.getAttribute('role') !== 'img' || !svg.getAttribute('aria-label')).length`
