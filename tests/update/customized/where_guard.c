/* What safeupdate does: an UPDATE or DELETE of all rows is an error, also inside of functions and of WITH. */
#include "postgres.h"

#include "fmgr.h"
#include "parser/analyze.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

static post_parse_analyze_hook_type next_hook;

static void
look(Query *query)
{
	ListCell   *cell;

	foreach(cell, query->cteList)
		look(castNode(Query, ((CommonTableExpr *) lfirst(cell))->ctequery));
	if ((query->commandType == CMD_UPDATE || query->commandType == CMD_DELETE) && query->jointree->quals == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("%s requires a WHERE clause", query->commandType == CMD_UPDATE ? "UPDATE" : "DELETE")));
}

static void
look_at_statement(ParseState *state, Query *query
#if PG_VERSION_NUM >= 140000
				  ,JumbleState *jumble)
#else
				  )
#endif
{
	if (next_hook != NULL)
#if PG_VERSION_NUM >= 140000
		next_hook(state, query, jumble);
#else
		next_hook(state, query);
#endif
	look(query);
}

void
_PG_init(void)
{
	next_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = look_at_statement;
}
