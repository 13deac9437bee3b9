package main

import (
	"errors"
	"slices"
	"testing"

	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/store"
)

func TestConcerned(t *testing.T) {
	sessions := []proxy.Login{{ID: "1", UserID: "ana"}, {ID: "2", UserID: "bob"}, {ID: "3", UserID: "ana"}, {ID: "4", UserID: "ana"}}
	got := concerned(sessions, store.Change{UserID: "ana"}, func(l *proxy.Login) (bool, error) {
		if l.ID == "3" {
			return false, errors.New("the store is away")
		}
		return l.ID == "1", nil
	})
	if !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("ends %v: those that are outdated and those that nobody can tell of", got)
	}
}
