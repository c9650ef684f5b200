/**
 * The way from Node into generated C: a module of Node-API, whose few functions are declared here by hand, because the
 * headers are not on every machine and the interface is stable across versions of Node. Nothing else is linked or installed.
 *
 * The module is the function `run(memory: Uint8Array, mostFuel: number, print: (step: number) => void, section: number)`,
 * which gives 0, or 1 + the number of the loop that ran out of fuel; `members` is how many threads there are, the caller included.
 */
export const nodeText = (threads: number): string => `
typedef struct gf_env *gf_env;
typedef struct gf_value *gf_value;
typedef struct gf_info *gf_info;
extern int napi_get_cb_info(gf_env, gf_info, size_t *, gf_value *, gf_value *, void **);
extern int napi_get_typedarray_info(gf_env, gf_value, int *, size_t *, void **, gf_value *, size_t *);
extern int napi_get_value_double(gf_env, gf_value, double *);
extern int napi_create_int32(gf_env, int32_t, gf_value *);
extern int napi_create_function(gf_env, const char *, size_t, gf_value (*)(gf_env, gf_info), void *, gf_value *);
extern int napi_call_function(gf_env, gf_value, gf_value, size_t, const gf_value *, gf_value *);

typedef struct { gf_env env; gf_value print; } gf_host;

static int gf_print(void *of, int step) {
  const gf_host *host = of;
  gf_value number, result;
  if (napi_create_int32(host->env, step, &number)) return 1;
  return napi_call_function(host->env, host->print, host->print, 1, &number, &result);
}

static gf_value gf_entry(gf_env env, gf_info info) {
  size_t count = 4;
  gf_value given[4], result;
  void *memory;
  double fuel, section;
  if (napi_get_cb_info(env, info, &count, given, 0, 0) || count < 4) return 0;
  if (napi_get_typedarray_info(env, given[0], 0, 0, &memory, 0, 0)) return 0;
  if (napi_get_value_double(env, given[1], &fuel)) return 0;
  if (napi_get_value_double(env, given[3], &section)) return 0;
  gf_host host = {env, given[2]};
  /* Another thread of this process may be running the same program: then there is no team. */
  const int alone = ${threads} < 2 || atomic_flag_test_and_set(&gf_busy);
  if (!alone) gf_gather(${threads});
  const int status = gf_run(memory, alone ? 1 : gf_members, fuel, &host, (int)section);
  if (!alone) atomic_flag_clear(&gf_busy);
  if (napi_create_int32(env, status, &result)) return 0;
  return result;
}

__attribute__((visibility("default"))) gf_value napi_register_module_v1(gf_env env, gf_value exports) {
  gf_value entry;
  (void)exports;
  if (napi_create_function(env, "run", 3, gf_entry, 0, &entry)) return 0;
  return entry;
}
`;
