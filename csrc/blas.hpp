// The BLAS and LAPACK routines that the solvers call, as a table of pointers. The binding fills it
// from scipy.linalg.cython_blas and cython_lapack, so the library links no BLAS of its own.
#pragma once

#include <cstddef>
#include <vector>

#include "values.hpp"

namespace regsolve {

struct Blas {
  void (*dgemm)(char*, char*, int*, int*, int*, double*, double*, int*, double*, int*, double*,
                double*, int*);
  void (*dgemv)(char*, int*, int*, double*, double*, int*, double*, int*, double*, double*, int*);
  void (*dsyrk)(char*, char*, int*, int*, double*, double*, int*, double*, double*, int*);
  void (*dtrsm)(char*, char*, char*, char*, int*, int*, double*, double*, int*, double*, int*);
  void (*dtrsv)(char*, char*, char*, int*, double*, int*, double*, int*);
  void (*dpotrf)(char*, int*, double*, int*, int*);
  void (*dgetrf)(int*, int*, double*, int*, int*, int*);
  void (*dgetrs)(char*, int*, int*, double*, int*, int*, double*, int*, int*);
  void (*dgeqp3)(int*, int*, double*, int*, int*, double*, double*, int*, int*);
  void (*dgeqrf)(int*, int*, double*, int*, double*, double*, int*, int*);
  void (*dorgqr)(int*, int*, int*, double*, int*, double*, double*, int*, int*);
};

// Wrappers with values for arguments; matrices are column-major.

// C := alpha op(A) op(B) + beta C,  C is m x n, the inner size is k
inline void gemm(const Blas& blas, char ta, char tb, int m, int n, int k, double alpha,
                 const double* A, int lda, const double* B, int ldb, double beta, double* C,
                 int ldc) {
  if (m > 0 && n > 0)
    blas.dgemm(&ta, &tb, &m, &n, &k, &alpha, const_cast<double*>(A), &lda, const_cast<double*>(B),
               &ldb, &beta, C, &ldc);
}

// y := alpha op(A) x + beta y,  A is m x n
inline void gemv(const Blas& blas, char trans, int m, int n, double alpha, const double* A, int lda,
                 const double* x, double beta, double* y) {
  int one = 1;
  if (m > 0 && n > 0)
    blas.dgemv(&trans, &m, &n, &alpha, const_cast<double*>(A), &lda, const_cast<double*>(x), &one,
               &beta, y, &one);
}

// upper triangle of C := alpha A'A + C,  A is k x n
inline void syrk(const Blas& blas, int n, int k, double alpha, const double* A, int lda, double* C,
                 int ldc) {
  char upper = 'U', trans = 'T';
  double one = 1.0;
  if (n > 0 && k > 0)
    blas.dsyrk(&upper, &trans, &n, &k, &alpha, const_cast<double*>(A), &lda, &one, C, &ldc);
}

// A'A whole,  A is k x n
inline Vector gram_of(const Blas& blas, const Vector& A, std::size_t k, std::size_t n) {
  Vector C(n * n, 0.0);
  syrk(blas, int(n), int(k), 1.0, A.data(), int(k), C.data(), int(n));
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = 0; i < j; ++i) C[j + i * n] = C[i + j * n];
  return C;
}

// upper triangle of C := A A' + C,  A is n x k
inline void syrk_outer(const Blas& blas, int n, int k, const double* A, int lda, double* C,
                       int ldc) {
  char upper = 'U', plain = 'N';
  double one = 1.0;
  if (n > 0 && k > 0)
    blas.dsyrk(&upper, &plain, &n, &k, &one, const_cast<double*>(A), &lda, &one, C, &ldc);
}

// x := op(R)^{-1} x,  R upper triangular n x n
inline void trsv(const Blas& blas, char trans, int n, const double* R, int ldr, double* x) {
  char upper = 'U', diag = 'N';
  int one = 1;
  if (n > 0) blas.dtrsv(&upper, &trans, &diag, &n, const_cast<double*>(R), &ldr, x, &one);
}

// B := R'^{-1} B,  R upper triangular m x m, B m x n
inline void trsm(const Blas& blas, int m, int n, const double* R, int ldr, double* B, int ldb) {
  char left = 'L', upper = 'U', trans = 'T', diag = 'N';
  double one = 1.0;
  if (m > 0 && n > 0)
    blas.dtrsm(&left, &upper, &trans, &diag, &m, &n, &one, const_cast<double*>(R), &ldr, B, &ldb);
}

// A := L and U with P A = L U, n x n, rows exchanged by `pivots`; returns 0 when A is regular.
inline int getrf(const Blas& blas, int n, double* A, int* pivots) {
  int info = 0;
  if (n > 0) blas.dgetrf(&n, &n, A, &n, pivots, &info);
  return info;
}

// x := A^{-1} x from getrf's factors
inline void getrs(const Blas& blas, int n, const double* LU, const int* pivots, double* x) {
  char plain = 'N';
  int one = 1, info = 0;
  if (n > 0)
    blas.dgetrs(&plain, &n, &one, const_cast<double*>(LU), &n, const_cast<int*>(pivots), x, &n,
                &info);
}

// A := R with R'R = A (upper); returns 0 when A is positive definite. By blocks of rows: a factor
// of some 15,000 rows at once runs past the buffers of OpenBLAS (0.3.30).
inline int potrf(const Blas& blas, int n, double* A, int lda) {
  constexpr int block = 4096;
  for (int j = 0; j < n; j += block) {
    char upper = 'U';
    int m = n - j < block ? n - j : block, right = n - j - m, info = 0;
    const double* above = A + std::ptrdiff_t(j) * lda;
    double* D = A + j + std::ptrdiff_t(j) * lda;
    double* E = D + std::ptrdiff_t(m) * lda;
    syrk(blas, m, j, -1.0, above, lda, D, lda);
    gemm(blas, 'T', 'N', m, right, j, -1.0, above, lda, above + std::ptrdiff_t(m) * lda, lda, 1.0,
         E, lda);
    blas.dpotrf(&upper, &m, D, &lda, &info);
    if (info != 0) return info < 0 ? info : j + info;
    trsm(blas, m, right, D, lda, E, lda);
  }
  return 0;
}

}  // namespace regsolve
