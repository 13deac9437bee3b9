package myserver

import (
	"fmt"
	"os"
	"path/filepath"
)

// programs are where a server and its bootstrap scripts are.
type programs struct {
	server string // mariadbd
	share  string // folder of mysql_system_tables.sql and its kin
}

// Find returns the server program and the folder of its scripts: WEIR_MARIADB
// names a folder with bin or sbin and share below it, else the distribution's.
func Find() (server, share string, err error) {
	p, err := find()
	return p.server, p.share, err
}

func find() (programs, error) {
	roots := []string{"/usr", "/usr/local/mysql"}
	if dir := os.Getenv("WEIR_MARIADB"); dir != "" {
		roots = []string{dir}
	}
	for _, root := range roots {
		for _, bin := range []string{"sbin", "bin"} {
			for _, share := range []string{"share/mysql", "share/mariadb", "share"} {
				p := programs{filepath.Join(root, bin, "mariadbd"), filepath.Join(root, share)}
				if exists(p.server) && exists(filepath.Join(p.share, systemTables[0])) {
					return p, nil
				}
			}
		}
	}
	return programs{}, fmt.Errorf("find MariaDB: no mariadbd and %s below %q; install the package mariadb-server (`make servers` does), or WEIR_MARIADB names another folder", systemTables[0], roots)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
