// Owns how results look to people: tables and numbers.
import Table from 'cli-table3'

const PLAIN = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

/** A table without lines; the first row is the heading where `head` is given. */
export const table = (rows: readonly (readonly string[])[], head?: readonly string[]): string => {
  const drawn = new Table({
    ...(head === undefined ? {} : { head: [...head] }),
    chars: PLAIN,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) drawn.push([...row])
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

export const fraction = (value: number | undefined): string =>
  value === undefined ? '-' : value.toFixed(3)

export const seconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} s`

export const bytes = (value: number): string => {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let unit = 0
  let scaled = value
  while (scaled >= 1000 && unit < units.length - 1) {
    scaled /= 1000
    unit += 1
  }
  return `${scaled.toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`
}
