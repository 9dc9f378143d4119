/* A stand-in for the C version's library, for tests: what its SQL names is there. It has no worker, so requests wait. */
#include "postgres.h"
#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(_urlencode_string);
PG_FUNCTION_INFO_V1(_encode_url_with_params_array);
PG_FUNCTION_INFO_V1(worker_restart);
PG_FUNCTION_INFO_V1(wait_until_running);
PG_FUNCTION_INFO_V1(wake);

Datum _urlencode_string(PG_FUNCTION_ARGS) { PG_RETURN_DATUM(PG_GETARG_DATUM(0)); }

Datum _encode_url_with_params_array(PG_FUNCTION_ARGS) { PG_RETURN_DATUM(PG_GETARG_DATUM(0)); }

Datum worker_restart(PG_FUNCTION_ARGS) { PG_RETURN_BOOL(true); }

Datum wait_until_running(PG_FUNCTION_ARGS) { PG_RETURN_VOID(); }

Datum wake(PG_FUNCTION_ARGS) { PG_RETURN_VOID(); }
