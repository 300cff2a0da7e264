;; Owns the optimizer steps of the fused trainer over float32 arrays in the imported memory, four numbers
;; at a time. Each number takes the operations of src/head/optimizer.ts in the same order, each of them
;; rounded to float32, so that both give the same bits for the same gradient.
;;
;; An array has `rows` rows of `cols` numbers. A vector has one number a column; with `advance` 0 it has
;; four equal numbers for all columns, with 16 it moves on with them. Pointers are in bytes.
(module
  (import "env" "memory" (memory 0))

  ;; g += l2 w; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g g; w = keep w - scale m / (sqrt(v) + epsilon)
  (func (export "adam")
    (param $w i32) (param $g i32) (param $m i32) (param $v i32)
    (param $scale i32) (param $l2 i32) (param $keep i32)
    (param $advance i32) (param $rows i32) (param $cols i32) (param $epsilon f32)
    (local $k i32) (local $left i32) (local $tail i32)
    (local $w4 v128) (local $g4 v128) (local $m4 v128) (local $v4 v128) (local $e4 v128)
    (local $w1 f32) (local $g1 f32) (local $m1 f32) (local $v1 f32)
    (local.set $e4 (f32x4.splat (local.get $epsilon)))
    ;; A vector that stands still stands still in the tail, too.
    (local.set $tail (i32.shr_u (local.get $advance) (i32.const 2)))
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (local.set $k (i32.const 0))
        (local.set $left (local.get $cols))
        (block $rest
          (loop $four
            (br_if $rest (i32.lt_u (local.get $left) (i32.const 4)))
            (local.set $w4 (v128.load (local.get $w)))
            (local.set $g4 (f32x4.add (v128.load (local.get $g))
              (f32x4.mul (local.get $w4) (v128.load (i32.add (local.get $l2) (local.get $k))))))
            (local.set $m4 (f32x4.add
              (f32x4.mul (v128.load (local.get $m)) (v128.const f32x4 0.9 0.9 0.9 0.9))
              (f32x4.mul (local.get $g4) (v128.const f32x4 0.1 0.1 0.1 0.1))))
            (local.set $v4 (f32x4.add
              (f32x4.mul (v128.load (local.get $v)) (v128.const f32x4 0.999 0.999 0.999 0.999))
              (f32x4.mul (f32x4.mul (local.get $g4) (local.get $g4))
                (v128.const f32x4 0.001 0.001 0.001 0.001))))
            (v128.store (local.get $m) (local.get $m4))
            (v128.store (local.get $v) (local.get $v4))
            (v128.store (local.get $w) (f32x4.sub
              (f32x4.mul (local.get $w4) (v128.load (i32.add (local.get $keep) (local.get $k))))
              (f32x4.div
                (f32x4.mul (local.get $m4) (v128.load (i32.add (local.get $scale) (local.get $k))))
                (f32x4.add (f32x4.sqrt (local.get $v4)) (local.get $e4)))))
            (local.set $w (i32.add (local.get $w) (i32.const 16)))
            (local.set $g (i32.add (local.get $g) (i32.const 16)))
            (local.set $m (i32.add (local.get $m) (i32.const 16)))
            (local.set $v (i32.add (local.get $v) (i32.const 16)))
            (local.set $k (i32.add (local.get $k) (local.get $advance)))
            (local.set $left (i32.sub (local.get $left) (i32.const 4)))
            (br $four)))
        (block $end
          (loop $one
            (br_if $end (i32.eqz (local.get $left)))
            (local.set $w1 (f32.load (local.get $w)))
            (local.set $g1 (f32.add (f32.load (local.get $g))
              (f32.mul (local.get $w1) (f32.load (i32.add (local.get $l2) (local.get $k))))))
            (local.set $m1 (f32.add
              (f32.mul (f32.load (local.get $m)) (f32.const 0.9))
              (f32.mul (local.get $g1) (f32.const 0.1))))
            (local.set $v1 (f32.add
              (f32.mul (f32.load (local.get $v)) (f32.const 0.999))
              (f32.mul (f32.mul (local.get $g1) (local.get $g1)) (f32.const 0.001))))
            (f32.store (local.get $m) (local.get $m1))
            (f32.store (local.get $v) (local.get $v1))
            (f32.store (local.get $w) (f32.sub
              (f32.mul (local.get $w1) (f32.load (i32.add (local.get $keep) (local.get $k))))
              (f32.div
                (f32.mul (local.get $m1) (f32.load (i32.add (local.get $scale) (local.get $k))))
                (f32.add (f32.sqrt (local.get $v1)) (local.get $epsilon)))))
            (local.set $w (i32.add (local.get $w) (i32.const 4)))
            (local.set $g (i32.add (local.get $g) (i32.const 4)))
            (local.set $m (i32.add (local.get $m) (i32.const 4)))
            (local.set $v (i32.add (local.get $v) (i32.const 4)))
            (local.set $k (i32.add (local.get $k) (local.get $tail)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $one)))
        (br $row))))

  ;; m = momentum m + (g + l2 w); w = keep w - rate m
  (func (export "sgd")
    (param $w i32) (param $g i32) (param $m i32)
    (param $rate i32) (param $l2 i32) (param $keep i32) (param $momentum i32)
    (param $advance i32) (param $rows i32) (param $cols i32)
    (local $k i32) (local $left i32) (local $tail i32)
    (local $w4 v128) (local $m4 v128) (local $w1 f32) (local $m1 f32)
    (local.set $tail (i32.shr_u (local.get $advance) (i32.const 2)))
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (local.set $k (i32.const 0))
        (local.set $left (local.get $cols))
        (block $rest
          (loop $four
            (br_if $rest (i32.lt_u (local.get $left) (i32.const 4)))
            (local.set $w4 (v128.load (local.get $w)))
            (local.set $m4 (f32x4.add
              (f32x4.mul (v128.load (local.get $m))
                (v128.load (i32.add (local.get $momentum) (local.get $k))))
              (f32x4.add (v128.load (local.get $g))
                (f32x4.mul (local.get $w4) (v128.load (i32.add (local.get $l2) (local.get $k)))))))
            (v128.store (local.get $m) (local.get $m4))
            (v128.store (local.get $w) (f32x4.sub
              (f32x4.mul (local.get $w4) (v128.load (i32.add (local.get $keep) (local.get $k))))
              (f32x4.mul (local.get $m4) (v128.load (i32.add (local.get $rate) (local.get $k))))))
            (local.set $w (i32.add (local.get $w) (i32.const 16)))
            (local.set $g (i32.add (local.get $g) (i32.const 16)))
            (local.set $m (i32.add (local.get $m) (i32.const 16)))
            (local.set $k (i32.add (local.get $k) (local.get $advance)))
            (local.set $left (i32.sub (local.get $left) (i32.const 4)))
            (br $four)))
        (block $end
          (loop $one
            (br_if $end (i32.eqz (local.get $left)))
            (local.set $w1 (f32.load (local.get $w)))
            (local.set $m1 (f32.add
              (f32.mul (f32.load (local.get $m))
                (f32.load (i32.add (local.get $momentum) (local.get $k))))
              (f32.add (f32.load (local.get $g))
                (f32.mul (local.get $w1) (f32.load (i32.add (local.get $l2) (local.get $k)))))))
            (f32.store (local.get $m) (local.get $m1))
            (f32.store (local.get $w) (f32.sub
              (f32.mul (local.get $w1) (f32.load (i32.add (local.get $keep) (local.get $k))))
              (f32.mul (local.get $m1) (f32.load (i32.add (local.get $rate) (local.get $k))))))
            (local.set $w (i32.add (local.get $w) (i32.const 4)))
            (local.set $g (i32.add (local.get $g) (i32.const 4)))
            (local.set $m (i32.add (local.get $m) (i32.const 4)))
            (local.set $k (i32.add (local.get $k) (local.get $tail)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $one)))
        (br $row)))))
