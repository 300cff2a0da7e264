// Owns what an address of a queue may be. Shows of it what is nobody's secret.

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i

/** `other`: a scheme that no queue has. */
export const kindOfAddress = (address: string): 'redis' | 'folder' | 'other' => {
  if (/^rediss?:\/\//.test(address)) return 'redis'
  return SCHEME.test(address) ? 'other' : 'folder'
}

/** Host, port and database: the rest of the address is nobody's business. */
export const shownAddress = ({ protocol, host, pathname }: URL): string =>
  `${protocol}//${host}${pathname === '/' ? '' : pathname}`
