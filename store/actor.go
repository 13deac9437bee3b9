package store

import "context"

type actorKey struct{}

// WithActor says on whose behalf the store is changed: a user's id, or a name
// such as "command line of ana". Every Change carries it.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, shorten(actor))
}

func actorOf(ctx context.Context) string {
	actor, _ := ctx.Value(actorKey{}).(string)
	return actor
}
