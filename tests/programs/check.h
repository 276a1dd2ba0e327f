// What the guest test programs share: a result line that shows value and errno, the same natively and inside.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Prints a call's result; addresses and ids must not go through here.
#define SHOW(call) do { errno = 0; long r_ = (long)(call); printf("%s = %ld%s%s\n", #call, r_, r_ == -1 ? " " : "", r_ == -1 ? strerror(errno) : ""); } while (0)
// Prints whether a condition holds.
#define HOLDS(condition) printf("%s: %s\n", #condition, (condition) ? "yes" : "no")
