/// What is done about the tables of a database that is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tables {
    /// They are made, or brought up to date.
    Migrate,
    /// They are left as they are. If they are not there or not up to date, the database is not opened.
    Expect,
}
