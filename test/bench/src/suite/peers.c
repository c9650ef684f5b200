/*
 * The works as plain loops in C, for what the machine's own compiler makes of them:
 *   peers WORK ROWS COLUMNS DEPTH RESULT_FILE INPUT_FILE…
 * Then every number on stdin is a count of calls; the answer, on descriptor 3, is microseconds a call.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long rows, columns, depth;
static float *x, *y, *o;
static int32_t *places;

/* That of the wall, or of the processors where `--cpu` asks for it. */
static clockid_t clock_used = CLOCK_MONOTONIC;

static double now(void) {
  struct timespec t;
  clock_gettime(clock_used, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}
static float *read_floats(const char *file) {
  FILE *f = fopen(file, "rb");
  fseek(f, 0, SEEK_END);
  long size = ftell(f);
  rewind(f);
  float *data = aligned_alloc(64, (size + 63) / 64 * 64);
  if (fread(data, 1, size, f) != (size_t)size) exit(2);
  fclose(f);
  return data;
}

static void sinadd(void) { for (long i = 0; i < rows * columns; i++) o[i] = sinf((x[i] + y[i]) * 2); }
static void add(void) { for (long i = 0; i < rows * columns; i++) o[i] = x[i] + y[i]; }
static void expo(void) { for (long i = 0; i < rows * columns; i++) o[i] = expf(x[i]); }
static void gelu(void) {
  for (long i = 0; i < rows * columns; i++) {
    float v = x[i];
    o[i] = 0.5f * v * (1 + tanhf(0.7978845608f * (v + 0.044715f * v * v * v)));
  }
}
static void softmax(void) {
  for (long r = 0; r < rows; r++) {
    float *in = x + r * columns, *out = o + r * columns, most = in[0], sum = 0;
    for (long i = 1; i < columns; i++) most = in[i] > most ? in[i] : most;
    for (long i = 0; i < columns; i++) sum += out[i] = expf(in[i] - most);
    for (long i = 0; i < columns; i++) out[i] /= sum;
  }
}
static void layernorm(void) {
  for (long r = 0; r < rows; r++) {
    float *in = x + r * columns, *out = o + r * columns, mean = 0, variance = 0;
    for (long i = 0; i < columns; i++) mean += in[i];
    mean /= columns;
    for (long i = 0; i < columns; i++) variance += (in[i] - mean) * (in[i] - mean);
    float scale = 1 / sqrtf(variance / columns + 1e-5f);
    for (long i = 0; i < columns; i++) out[i] = (in[i] - mean) * scale;
  }
}
static void argmax(void) {
  for (long r = 0; r < rows; r++) {
    float *in = x + r * columns;
    long best = 0;
    for (long i = 1; i < columns; i++) if (in[i] > in[best]) best = i;
    places[r] = best;
  }
}
static void cumsum(void) {
  for (long r = 0; r < rows; r++) {
    float sum = 0;
    for (long i = 0; i < columns; i++) o[r * columns + i] = sum += x[r * columns + i];
  }
}
static void sum(void) {
  float total = 0;
  for (long i = 0; i < rows * columns; i++) total += x[i];
  o[0] = total;
}
static void matmul(void) {
  memset(o, 0, rows * columns * sizeof *o);
  for (long r = 0; r < rows; r++)
    for (long k = 0; k < depth; k++)
      for (long c = 0; c < columns; c++) o[r * columns + c] += x[r * depth + k] * y[k * columns + c];
}
static int by_value(const void *a, const void *b) {
  float p = *(const float *)a, q = *(const float *)b;
  return (p > q) - (p < q);
}
static void sort(void) {
  memcpy(o, x, rows * columns * sizeof *o);
  for (long r = 0; r < rows; r++) qsort(o + r * columns, columns, sizeof *o, by_value);
}
static float *row;
static int by_place(const void *a, const void *b) {
  int32_t p = *(const int32_t *)a, q = *(const int32_t *)b;
  int order = (row[p] > row[q]) - (row[p] < row[q]);
  return order ? order : (p > q) - (p < q);
}
static void argsort(void) {
  for (long r = 0; r < rows; r++) {
    row = x + r * columns;
    for (long i = 0; i < columns; i++) places[r * columns + i] = i;
    qsort(places + r * columns, columns, sizeof *places, by_place);
  }
}

int main(int count, char **args) {
  static const struct { const char *name; void (*run)(void); } works[] = {
    {"sinadd", sinadd}, {"add", add}, {"exp", expo}, {"gelu", gelu},
    {"softmax", softmax}, {"layernorm", layernorm}, {"argmax", argmax},
    {"cumsum", cumsum}, {"sum", sum}, {"matmul", matmul}, {"sort", sort},
    {"argsort", argsort}, {"bitonic", sort},
  };
  FILE *replies = fdopen(3, "w");
  const char *clock_name = getenv("GRIDFUSE_BENCH_CLOCK");
  if (clock_name && !strcmp(clock_name, "cpu")) clock_used = CLOCK_PROCESS_CPUTIME_ID;
  rows = atol(args[2]), columns = atol(args[3]), depth = atol(args[4]);
  x = read_floats(args[6]);
  if (count > 7) y = read_floats(args[7]);
  o = aligned_alloc(64, rows * columns * sizeof *o + 64);
  places = (int32_t *)o;
  for (size_t w = 0; w < sizeof works / sizeof *works; w++) {
    if (strcmp(works[w].name, args[1])) continue;
    double before = now();
    works[w].run();
    double first = now() - before;
    long results = !strcmp(args[1], "argmax") ? rows : !strcmp(args[1], "sum") ? 1 : rows * columns;
    FILE *f = fopen(args[5], "wb");
    fwrite(o, 4, results, f);
    fclose(f);
    double start = now();
    for (int calls = 0; now() - start < 1e5 || (calls < 4 && now() - start < 2e6); calls++) works[w].run();
    before = now();
    works[w].run();
    fprintf(replies, "{\"ready\":{\"firstUs\":%f,\"callUs\":%f}}\n", first, now() - before);
    fflush(replies);
    for (long calls; scanf("%ld", &calls) == 1;) {
      before = now();
      for (long i = 0; i < calls; i++) works[w].run();
      fprintf(replies, "{\"us\":%f}\n", (now() - before) / calls);
      fflush(replies);
    }
    return 0;
  }
  fprintf(replies, "{\"missing\":\"not written\"}\n");
  return 0;
}
