// Owns the two products over features: inputs are used where they lie, results are written into memory
// of the caller. Refuses nothing: sizes are the caller's.
import { affineModel, PRODUCT, transposedProductModel } from '../../extractor/onnx/product-model.js'
import { openFusedRuntime } from '../fused/onnxruntime.js'

/** Row-major float32 [rows, columns]. */
export interface Matrix {
  readonly values: Float32Array
  readonly rows: number
  readonly columns: number
}

export interface Products {
  /** left x right + added, into `into`; `added` has one value a column. @throws ENGINE_FAILED */
  affine(left: Matrix, right: Matrix, added: Float32Array, into: Float32Array): Promise<void>
  /** The transpose of `left` x `right`, into `into`. @throws ENGINE_FAILED */
  transposed(left: Matrix, right: Matrix, into: Float32Array): Promise<void>
  close(): Promise<void>
}

/** The same inputs give the same bits on one machine. @throws ENGINE_UNAVAILABLE */
export const openProducts = async (): Promise<Products> => {
  const { tensor, open } = await openFusedRuntime()
  const affine = await open(affineModel())
  const transposed = await open(transposedProductModel())
  const tensorOf = ({ values, rows, columns }: Matrix) => tensor(values, [rows, columns])
  return {
    affine: (left, right, added, into) =>
      affine.run(
        {
          [PRODUCT.left]: tensorOf(left),
          [PRODUCT.right]: tensorOf(right),
          [PRODUCT.added]: tensor(added, [right.columns]),
        },
        { [PRODUCT.output]: tensor(into, [left.rows, right.columns]) },
      ),
    transposed: (left, right, into) =>
      transposed.run(
        { [PRODUCT.left]: tensorOf(left), [PRODUCT.right]: tensorOf(right) },
        { [PRODUCT.output]: tensor(into, [left.columns, right.columns]) },
      ),
    close: async () => {
      await affine.close()
      await transposed.close()
    },
  }
}
