import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { experimentJsonSchema } from '../../src/experiment/schema.js'

test('the published JSON Schema is the one of the code (npm run generate writes it)', () => {
  const published: unknown = JSON.parse(readFileSync('schemas/experiment.schema.json', 'utf8'))
  expect(published).toEqual(JSON.parse(JSON.stringify(experimentJsonSchema())))
})
