import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.time.*;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.*;
import java.util.concurrent.*;
import org.postgresql.PGConnection;
import org.postgresql.util.PGobject;

/** pgjdbc: server-prepared statements, binary transfer, fetch size, batches, COPY, savepoints, cancel. */
public class Pgjdbc {
  static final Map<String, String> ENV = System.getenv();
  static final String PEOPLE = "SELECT id, first_name, email, phone, birth_date, street, country, preferences, last_login_ip, created_at"
      + " FROM customers WHERE id BETWEEN ? AND ? ORDER BY id";
  static final String PAYMENT = "SELECT id, card_number, cvv, iban, amount, paid_at FROM payments WHERE id = ?";
  static final String SALARIES = "SELECT id, full_name, ssn, salary, birth_date, hired_on FROM hr.employees WHERE id <= ? ORDER BY id";
  static final String CONTACT = "SELECT id, email FROM customers WHERE id = ?";
  static final String COPY = "COPY (SELECT id, email, phone, birth_date FROM customers WHERE id <= 30 ORDER BY id) TO STDOUT";
  static final String DENIED = "SELECT id FROM customers WHERE email = ?";

  static Connection connect(String user, String password) throws SQLException {
    Properties p = new Properties();
    p.setProperty("user", user);
    p.setProperty("password", password);
    p.setProperty("sslmode", "verify-full");
    p.setProperty("sslrootcert", ENV.get("PGSSLROOTCERT"));
    p.setProperty("prepareThreshold", "2"); // the second run is by a named statement, in binary
    return DriverManager.getConnection("jdbc:postgresql://" + ENV.get("PGHOST") + ":" + ENV.get("PGPORT") + "/" + ENV.get("PGDATABASE"), p);
  }

  static void observe(String step, Object value) {
    System.out.println("{\"step\":" + json(step) + ",\"value\":" + json(value) + "}");
  }

  static String json(Object v) {
    if (v == null || v instanceof Boolean) return String.valueOf(v);
    if (v instanceof List) {
      StringJoiner j = new StringJoiner(",", "[", "]");
      for (Object e : (List<?>) v) j.add(json(e));
      return j.toString();
    }
    StringBuilder b = new StringBuilder("\"");
    for (char c : v.toString().toCharArray()) {
      if (c == '"' || c == '\\') b.append('\\').append(c);
      else if (c < ' ' || c > '~') b.append(String.format("\\u%04x", (int) c));
      else b.append(c);
    }
    return b.append('"').toString();
  }

  static String cell(Object v) {
    if (v == null) return null;
    if (v instanceof Timestamp) return DateTimeFormatter.ISO_INSTANT.format(((Timestamp) v).toInstant().truncatedTo(ChronoUnit.SECONDS));
    if (v instanceof java.sql.Date) return ((java.sql.Date) v).toLocalDate().toString();
    if (v instanceof byte[]) return HexFormat.of().formatHex((byte[]) v);
    if (v instanceof PGobject && ((PGobject) v).getType().startsWith("json")) return ((PGobject) v).getValue().replace(": ", ":").replace(", ", ",");
    return v.toString();
  }

  static List<List<String>> rows(ResultSet r) throws SQLException {
    List<List<String>> all = new ArrayList<>();
    while (r.next()) {
      List<String> row = new ArrayList<>();
      for (int i = 1; i <= r.getMetaData().getColumnCount(); i++) row.add(cell(r.getObject(i)));
      all.add(row);
    }
    r.close();
    return all;
  }

  static List<List<String>> fetch(Connection c, String sql, Object... args) throws SQLException {
    try (PreparedStatement s = c.prepareStatement(sql)) {
      return rows(run(s, args));
    }
  }

  static ResultSet run(PreparedStatement s, Object... args) throws SQLException {
    for (int i = 0; i < args.length; i++) s.setObject(i + 1, args[i]);
    return s.execute() ? s.getResultSet() : null;
  }

  static String[] sqlstate(Connection c, String sql, Object... args) {
    try (PreparedStatement s = c.prepareStatement(sql)) {
      run(s, args);
      return new String[] {"", "no error"};
    } catch (SQLException e) {
      return new String[] {e.getSQLState(), e.getMessage()};
    }
  }

  static void read(Connection c) throws Exception {
    try (PreparedStatement s = c.prepareStatement(PEOPLE)) {
      observe("people", rows(run(s, 15, 24)));
      observe("people", rows(run(s, 15, 24))); // the second and third run are server-prepared, then binary
      observe("people", rows(run(s, 15, 24)));
      ResultSet r = run(s, 15, 15);
      r.next();
      List<String> types = new ArrayList<>();
      for (int i = 1; i <= r.getMetaData().getColumnCount(); i++)
        types.add(r.getObject(i).getClass().getName() + " " + r.getMetaData().getColumnTypeName(i) + " " + r.getMetaData().getPrecision(i)
            + " " + ((org.postgresql.PGResultSetMetaData) r.getMetaData()).getBaseTableName(i));
      observe("types", types);
    }
    List<List<String>> payments = new ArrayList<>();
    try (PreparedStatement s = c.prepareStatement(PAYMENT)) {
      for (int i : new int[] {3, 4}) payments.addAll(rows(run(s, i)));
    }
    observe("payments", payments);
    try (PreparedStatement s = c.prepareStatement(SALARIES)) {
      observe("salaries", rows(run(s, 5)));
      BigDecimal sum = BigDecimal.ZERO;
      for (ResultSet r = run(s, 5); r.next();) sum = sum.add(r.getBigDecimal("salary"));
      observe("salary_sum", sum);
    }
    c.setAutoCommit(false);
    try (Statement s = c.createStatement()) {
      s.setFetchSize(100); // a named portal, 100 rows at a time
      observe("cursor", rows(s.executeQuery("SELECT id, email FROM customers ORDER BY id")));
    }
    c.commit();
    c.setAutoCommit(true);
    StringWriter out = new StringWriter();
    c.unwrap(PGConnection.class).getCopyAPI().copyOut(COPY, out);
    List<List<String>> copied = new ArrayList<>();
    for (String line : out.toString().split("\n")) {
      List<String> row = new ArrayList<>();
      for (String f : line.split("\t", -1)) row.add(f.equals("\\N") ? null : f);
      copied.add(row);
    }
    observe("copy", copied);
    List<List<String>> columns = new ArrayList<>();
    for (ResultSet r = c.getMetaData().getColumns(null, "public", "customers", "%"); r.next();)
      columns.add(Arrays.asList(r.getString("COLUMN_NAME"), r.getString("TYPE_NAME"), r.getString("IS_NULLABLE")));
    observe("columns", columns);
    try (Statement s = c.createStatement()) { // several statements in one message sequence
      s.execute("SELECT 1; SELECT id, email FROM customers WHERE id = 1");
      s.getMoreResults();
      observe("several", rows(s.getResultSet()));
    }
  }

  static void write(Connection admin) throws Exception {
    try (Statement s = admin.createStatement()) {
      s.execute("CREATE TEMPORARY TABLE written (id int, price numeric(10,2), day date, doc jsonb, address inet, word text, bytes bytea, at timestamptz)");
    }
    try (PreparedStatement s = admin.prepareStatement("INSERT INTO written VALUES (?, ?, ?, ?::jsonb, ?::inet, ?, ?, ?)")) {
      Object[][] batch = {{1, new BigDecimal("12.50"), LocalDate.of(2020, 2, 29), "{\"a\": [1, null]}", "10.1.2.3", "gr\u00fc\u00dfe 'x' \\", new byte[] {0, -1},
          OffsetDateTime.of(2024, 5, 6, 7, 8, 9, 0, ZoneOffset.UTC)}, {2, null, null, null, null, null, null, null}};
      for (Object[] row : batch) {
        for (int i = 0; i < row.length; i++) {
          if (row[i] == null) s.setNull(i + 1, i == 6 ? Types.BINARY : i == 1 ? Types.NUMERIC : i == 2 ? Types.DATE : i == 7 ? Types.TIMESTAMP_WITH_TIMEZONE : Types.VARCHAR);
          else s.setObject(i + 1, row[i]);
        }
        s.addBatch();
      }
      s.executeBatch();
    }
    admin.unwrap(PGConnection.class).getCopyAPI().copyIn("COPY written (id, word) FROM STDIN", new StringReader("3\tthree\n4\t\\N\n"));
    observe("written", fetch(admin, "SELECT id, price, day, doc, address, word, bytes, at FROM written ORDER BY id"));
  }

  static void refused(Connection c) throws Exception {
    String[] denied = sqlstate(c, DENIED, "david.huber1@example.org");
    observe("denied", denied[0]);
    observe("denied_message", denied[1]);
    observe("alive", fetch(c, "SELECT 1"));
    observe("read_only", sqlstate(c, "UPDATE customers SET segment = ? WHERE id = ?", "x", 1)[0]);
    c.setAutoCommit(false);
    sqlstate(c, DENIED, "x");
    observe("aborted", sqlstate(c, "SELECT 1")[0]);
    c.rollback();
    observe("rolled_back", fetch(c, CONTACT, 1));
    Savepoint s = c.setSavepoint("s");
    sqlstate(c, DENIED, "x");
    c.rollback(s);
    observe("savepoint", fetch(c, CONTACT, 2));
    c.commit();
    c.setAutoCommit(true);
  }

  static void cancel(Connection admin) throws Exception {
    long began = System.nanoTime();
    try (Statement s = admin.createStatement()) {
      ScheduledExecutorService later = Executors.newSingleThreadScheduledExecutor();
      later.schedule(() -> { s.cancel(); return null; }, 500, TimeUnit.MILLISECONDS);
      try {
        s.execute("SELECT pg_sleep(60)");
        observe("cancelled", "");
      } catch (SQLException e) {
        observe("cancelled", e.getSQLState());
      }
      later.shutdown();
    }
    observe("cancelled_soon", System.nanoTime() - began < 20_000_000_000L);
    observe("alive_after_cancel", fetch(admin, "SELECT 1"));
  }

  public static void main(String[] args) throws Exception {
    TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
    try (Connection c = connect(ENV.get("PGUSER"), ENV.get("PGPASSWORD")); Connection admin = connect(ENV.get("E2E_ADMIN"), ENV.get("E2E_ADMIN_PASSWORD"))) {
      read(c);
      write(admin);
      if (!"1".equals(ENV.get("E2E_WEIR"))) return;
      refused(c);
      cancel(admin);
      try {
        connect(ENV.get("PGUSER"), "wrong").close();
        observe("wrong_password", "accepted");
      } catch (SQLException e) {
        observe("wrong_password", e.getSQLState());
      }
    }
  }
}
