/*
 * Refuses statements by the cost of their plans, with the setting of pg_plan_filter, which Debian has no package of.
 */
#include "postgres.h"

#include <float.h>

#include "fmgr.h"
#include "optimizer/planner.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

void _PG_init(void);

static double limit = 0;
static planner_hook_type next = NULL;

static PlannedStmt *
plan(Query *query, const char *text, int options, ParamListInfo parameters)
{
	PlannedStmt *planned = next ? next(query, text, options, parameters)
		: standard_planner(query, text, options, parameters);

	if (limit > 0 && planned->planTree->total_cost > limit)
		ereport(ERROR, (errcode(ERRCODE_STATEMENT_TOO_COMPLEX), errmsg("plan cost limit exceeded")));
	return planned;
}

void
_PG_init(void)
{
	DefineCustomRealVariable("plan_filter.statement_cost_limit", "The most that a plan may cost.", NULL, &limit, 0, 0,
							 DBL_MAX, PGC_SUSET, 0, NULL, NULL, NULL);
	next = planner_hook;
	planner_hook = plan;
}
