// Owns the graphs of the two products that training a linear head needs; every size is given at run time.
import { type FloatInput, newOnnxModel } from './new-model.js'

/** Names of inputs and of the output in both graphs. */
export const PRODUCT = { left: 'left', right: 'right', added: 'added', output: 'product' } as const

const productModel = (inputs: readonly FloatInput[], transA: 0 | 1): Uint8Array =>
  newOnnxModel('product', inputs, (builder) => {
    const names = inputs.map(({ name }) => name)
    return [builder.node('Gemm', names, { transA: { int: transA } }, PRODUCT.output)]
  })

/** left [rows, width] x right [width, columns] + added [columns]. */
export const affineModel = (): Uint8Array =>
  productModel(
    [
      { name: PRODUCT.left, dims: ['rows', 'width'] },
      { name: PRODUCT.right, dims: ['width', 'columns'] },
      { name: PRODUCT.added, dims: ['columns'] },
    ],
    0,
  )

/** The transpose of left [rows, width] x right [rows, columns]: [width, columns]. */
export const transposedProductModel = (): Uint8Array =>
  productModel(
    [
      { name: PRODUCT.left, dims: ['rows', 'width'] },
      { name: PRODUCT.right, dims: ['rows', 'columns'] },
    ],
    1,
  )
