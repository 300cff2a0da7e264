// Writes src/head/fused/kernel-bytes.ts from kernel.wat beside it; a test keeps the two equal. Run it
// after changing the kernel.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import wabt from 'wabt'

const folder = new URL('../src/head/fused/', import.meta.url)

/** The TypeScript module that holds the kernel, from its source. */
export const kernelModule = async (source) => {
  const { parseWat } = await wabt()
  const module = parseWat('kernel.wat', source, { simd: true })
  try {
    module.validate({ simd: true })
    const text = Buffer.from(module.toBinary({}).buffer).toString('base64')
    const lines = text.match(/.{1,90}/g).map((line) => `  '${line}',`)
    return [
      '// Written by `npm run generate` from kernel.wat: change that file, not this one.',
      '',
      '/** The WebAssembly module in base64. */',
      'export const KERNEL_BASE64 = [',
      ...lines,
      "].join('')",
      '',
    ].join('\n')
  } finally {
    module.destroy()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const source = readFileSync(new URL('kernel.wat', folder), 'utf8')
  writeFileSync(new URL('kernel-bytes.ts', folder), await kernelModule(source))
}
