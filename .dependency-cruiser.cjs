// Direction, cycles and vendor walls. The order is that of docs/architecture.md: a folder may import
// what stands to its right, never what stands to its left.
const ORDER = [
  'cli',
  'http',
  'queue',
  'catalog',
  'experiment',
  'report',
  'model',
  'extract|head',
  'extractor',
  'dataset',
  'features',
  'store',
  'identity',
]

const direction = ORDER.slice(1).map((folder, i) => ({
  name: `direction-${folder.replace('|', '-')}`,
  comment: `src/${folder} must not import from the folders above it`,
  severity: 'error',
  from: { path: `^src/(${folder})/` },
  to: { path: `^src/(${ORDER.slice(0, i + 1).join('|')})/` },
}))

/** Only these files may know the vendor. */
const wall = (name, vendor, owners) => ({
  name: `wall-${name}`,
  comment: `only ${owners} may import ${vendor}`,
  severity: 'error',
  from: { path: '^(src|workers)/', pathNot: owners },
  to: { path: `node_modules/(${vendor})` },
})

/** The one forward path: only `owner` may import this file of the extractor. */
const onlyFor = (name, file, owner) => ({
  name: `one-${name}`,
  comment: `only ${owner} may import src/extractor/${file}; others call Extractor.rows, or inputOf`,
  severity: 'error',
  from: { path: '^(src|workers)/', pathNot: owner },
  to: { path: `^src/extractor/${file.replace('.', '\\.')}$` },
})

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'types included',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'nothing-imports-index',
      severity: 'error',
      from: {},
      to: { path: '^src/index\\.ts$' },
    },
    {
      name: 'stages-meet-in-features',
      comment: 'the two stages never import each other',
      severity: 'error',
      from: { path: '^src/(extract|head)/' },
      to: { path: '^src/(extract|head)/', pathNot: '^src/$1/' },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^@tensorflow/tfjs-node' },
    },
    {
      name: 'config-only-in-entries',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(cli|index)' },
      to: { path: '^src/config\\.ts$' },
    },
    ...direction,
    // The doctor decodes a tiny image to see whether the image library works; a thumbnail is refused by
    // the same rules, and no feature is made of it.
    onlyFor(
      'decode',
      'decode.ts',
      '^src/(extractor/|(catalog/doctor-machine|report/thumbnail)\\.ts$)',
    ),
    onlyFor('normalise', 'normalise.ts', '^src/extractor/'),
    wall('aws', '@aws-sdk/', '^src/store/s3[^/]*\\.ts$'),
    wall('arrow', 'apache-arrow/', '^src/features/arrow[^/]*\\.ts$'),
    wall('tfjs', '@tensorflow/', '^src/(extractor/(engines|compile)|head)/'),
    wall(
      'onnxruntime',
      'onnxruntime-(node|common)/',
      '^src/(extractor/engines/onnx[^/]*|head/fused/onnxruntime)\\.ts$',
    ),
    wall('plot', '(@observablehq|linkedom)/', '^src/report/'),
    wall('dawn', 'webgpu/', '^src/extractor/engines/webgpu[^/]*\\.ts$'),
    wall('protobuf', '@bufbuild/', '^src/extractor/(onnx|compile)/'),
    wall('bullmq', '(bullmq|ioredis|@electric-sql)/', '^src/queue/'),
    wall('fastify', '(fastify|@fastify|prom-client|fastify-type-provider-zod)/', '^src/http/'),
    wall(
      'sharp',
      'sharp/',
      '^src/(extractor/decode|catalog/doctor-machine|report/thumbnail)\\.ts$',
    ),
    wall('commander', '(commander|cli-progress|cli-table3)/', '^src/cli/'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
}
