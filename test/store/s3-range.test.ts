import { describe, expect, it } from 'vitest'
import { assertWholeRange } from '../../src/store/s3-range.js'

const asked = { start: 100, length: 50 }

describe('assertWholeRange', () => {
  it.each([
    { what: 'the range as it was asked for', answered: 'bytes 100-149/1000', bytes: 50 },
    { what: 'what is left of a shorter object', answered: 'bytes 100-119/120', bytes: 20 },
    { what: 'a total that the server does not know', answered: 'bytes 100-149/*', bytes: 50 },
  ])('accepts $what', ({ answered, bytes }) => {
    expect(() => assertWholeRange(answered, asked, bytes)).not.toThrow()
  })

  it.each([
    { what: 'a body that was cut off', answered: 'bytes 100-149/1000', bytes: 49 },
    { what: 'a body that is too long', answered: 'bytes 100-149/1000', bytes: 51 },
    { what: 'fewer bytes than the object has', answered: 'bytes 100-119/1000', bytes: 20 },
    { what: 'another range', answered: 'bytes 0-49/1000', bytes: 50 },
    { what: 'the whole object', answered: undefined, bytes: 1000 },
    { what: 'an answer that cannot be read', answered: 'bytes all', bytes: 50 },
  ])('refuses $what', ({ answered, bytes }) => {
    expect(() => assertWholeRange(answered, asked, bytes)).toThrow(/arrived as range/)
  })
})
