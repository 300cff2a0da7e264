// Writes schemas/experiment.schema.json from the schema in the code; a test keeps the two equal.
import { mkdirSync, writeFileSync } from 'node:fs'
import { experimentJsonSchema } from '../dist/src/experiment/schema.js'

mkdirSync('schemas', { recursive: true })
writeFileSync(
  'schemas/experiment.schema.json',
  `${JSON.stringify(experimentJsonSchema(), null, 2)}\n`,
)
