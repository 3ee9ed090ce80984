/* After fork, the thread that forked is alone: the threads that OpenMP keeps for it are not in the
 * child, and it would wait for them for ever. In a child it therefore computes alone, to the same
 * bits; threads that the child starts have teams of their own. (PyTorch does the same.) */
#ifndef NF_TENSOR_CPU_FORK_H
#define NF_TENSOR_CPU_FORK_H

/* To be called before work is divided for the first time. */
void nf_fork_prepare(void);
/* Of so many threads, how many this one can have. */
int nf_fork_threads(int threads);

#endif
