// Owns taking JSON bodies: how deep they may nest is decided on the text, before anything walks it.
import { HeadstartError } from '../errors.js'
import type { App } from './context.js'
import { MAX_JSON_DEPTH } from './limits.js'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b])
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d])

/** The deepest nesting of arrays and objects in a JSON text; meaningless for text that is no JSON. */
export const jsonDepth = (text: string): number => {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at)
    if (inString) {
      if (character === BACKSLASH) at += 1
      else if (character === QUOTE) inString = false
    } else if (character === QUOTE) inString = true
    else if (OPENING.has(character)) {
      depth += 1
      deepest = Math.max(deepest, depth)
    } else if (CLOSING.has(character)) depth -= 1
  }
  return deepest
}

/** Nothing but JSON is parsed. Keys that reach prototypes are refused. */
export const addJsonParser = (app: App): void => {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    if (jsonDepth(String(text)) > MAX_JSON_DEPTH) {
      const message = `the body nests deeper than ${MAX_JSON_DEPTH} levels`
      done(new HeadstartError('REQUEST_INVALID', message))
    } else parse(request, String(text), done)
  })
}
