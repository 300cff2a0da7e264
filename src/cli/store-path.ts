// Owns how an object of the store is named to people: a path where the store is a folder, else its address.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Store, StoreKey } from '../store/port.js'

export const pathInStore = ({ url }: Pick<Store, 'url'>, key: StoreKey): string =>
  url.startsWith('file:') ? join(fileURLToPath(url), key) : `${url.replace(/\/$/, '')}/${key}`
