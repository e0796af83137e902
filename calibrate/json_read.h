/* SPDX-License-Identifier: Apache-2.0 */
/* json_read: members of a cJSON object that may be absent. */
#ifndef WL_JSON_READ_H
#define WL_JSON_READ_H

#include <cjson/cJSON.h>

/* NULL where there is none, or it is no text. */
static inline const char *wl_json_read_text(const cJSON *o, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
}

static inline double wl_json_read_number(const cJSON *o, const char *key, double otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);
    return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

#endif
