/* Loaded into a program that uses libpq 18: answers OAUTHBEARER with the token
   in TEST_TOKEN, or with none where that is empty. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

struct request { /* PGoauthBearerRequest */
  const char *discovery, *scope;
  void *async, *cleanup;
  char *token;
  void *user;
};

static int answer(int kind, void *connection, void *data) {
  struct request *r = data;
  const char *token = getenv("TEST_TOKEN");
  if (kind != 1 || token == NULL || *token == '\0') /* PQAUTHDATA_OAUTH_BEARER_TOKEN */
    return 0;
  r->token = strdup(token);
  return 1;
}

__attribute__((constructor)) static void begin(void) {
  void (*set)(int (*)(int, void *, void *)) = dlsym(RTLD_DEFAULT, "PQsetAuthDataHook");
  if (set != NULL)
    set(answer);
}
