package pgserver_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/weirdb/weir/deploy/pgserver"
)

func TestLiveStartServesOverVerifiedTLSAndStopRemoves(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := pgserver.Start(ctx, pgserver.Options{HBA: []string{"hostssl all certified 127.0.0.1/32 cert"}, Settings: map[string]string{"work_mem": "7MB"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if err := s.Exec(ctx, "postgres", "CREATE ROLE certified LOGIN; CREATE DATABASE shop"); err == nil {
		t.Fatal("CREATE DATABASE inside one implicit transaction should fail")
	}
	if err := s.Exec(ctx, "postgres", "CREATE ROLE certified LOGIN"); err != nil {
		t.Fatal(err)
	}
	cert, key, err := s.ClientCertificate("certified")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, s.URL("certified", "", "postgres")+"&sslcert="+cert+"&sslkey="+key)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var mem string
	if err := conn.QueryRow(ctx, "SHOW work_mem").Scan(&mem); err != nil || mem != "7MB" {
		t.Fatalf("work_mem = %q, %v", mem, err)
	}
	dir := s.Dir
	s.Stop()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Fatalf("folder %s is left: %v", dir, err)
	}
}
